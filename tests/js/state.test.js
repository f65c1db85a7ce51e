import assert from "node:assert/strict";
import { test } from "node:test";
import { astray, readView, writeView } from "../../static/js/address.js";
import { Newest } from "../../static/js/newest.js";
import { paintMap } from "../../static/js/painting.js";

test("the address holds the view, and gives it back", () => {
  /** @type {import("../../static/js/address.js").View} */
  const view = { model: "digits", image: "ab12", layer: "conv2", channel: 0, y: 6, x: 0, scale: "layer" };
  const url = writeView(new URL("http://here/?keep=1"), view);
  assert.deepEqual(readView(url, "other"), view);
  assert.equal(url.searchParams.get("keep"), "1");
});

test("a bare address is the default model with nothing chosen", () => {
  const view = readView(new URL("http://here/?channel=x"), "digits");
  const bare = { model: "digits", image: null, layer: null, channel: null, y: null, x: null, scale: "map" };
  assert.deepEqual(view, bare);
});

test("a unit is named by all of its numbers, or not at all", () => {
  const half = readView(new URL("http://here/?layer=conv1&channel=3&y=4"), "digits");
  assert.deepEqual([half.channel, half.y, half.x], [3, null, null]);
  const none = writeView(new URL("http://here/?layer=conv1&channel=3&y=4&x=5"), { ...half, layer: null });
  assert.equal(none.search, "?model=digits");
});

test("what an address names that there isn't is said, and the rest of it stays", () => {
  const layers = [{ name: "conv1", output_shape: [16, 28, 28] }, { name: "fc1", output_shape: [10] }];
  /** @param {string} query */
  const found = (query) => {
    const url = new URL(`http://here/?${query}`);
    const { words, view } = astray(url, readView(url, "digits"), layers) ?? { words: "", view: null };
    return [words, view && [view.layer, view.channel, view.y, view.x]];
  };
  const none = [
    "", "channel=3", "layer=conv1", "layer=conv1&channel=15&y=27&x=0", "layer=conv1&channel=3&y=99",
    "layer=fc1&channel=9&y=0&x=0",
  ];
  for (const query of none) assert.deepEqual(found(query), ["", null]);
  const layer = "digits has no layer 'nope'. Its layers are conv1, fc1.";
  assert.deepEqual(found("layer=nope&channel=3"), [layer, [null, null, null, null]]);
  for (const channel of ["16", "-1", "x"]) {
    const words = `conv1 has no channel ${channel}. Its channels are 0 to 15.`;
    assert.deepEqual(found(`layer=conv1&channel=${channel}&y=1&x=1`), [words, ["conv1", null, null, null]]);
  }
  for (const [y, x] of [["28", "0"], ["0", "-1"]]) {
    const words = `conv1 has no unit in row ${y}, column ${x}. Its rows are 0 to 27 and its columns 0 to 27.`;
    assert.deepEqual(found(`layer=conv1&channel=3&y=${y}&x=${x}`), [words, ["conv1", 3, null, null]]);
  }
  const row = "fc1 has no unit in row 1, column 0. Its rows are 0 to 0 and its columns 0 to 0.";
  assert.deepEqual(found("layer=fc1&channel=9&y=1&x=0"), [row, ["fc1", null, null, null]]);
});

test("of those that wait only the newest is worked on, one at a time", async () => {
  /** @type {number[]} */
  const done = [];
  let running = 0;
  /** @type {(value?: unknown) => void} */
  let finish = () => {};
  const finished = new Promise((resolve) => {
    finish = resolve;
  });
  const queue = new Newest(async (/** @type {number} */ item) => {
    assert.equal(++running, 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    running--;
    done.push(item);
    if (item === 4) finish();
  });
  for (const item of [1, 2, 3, 4]) queue.push(item);
  await finished;
  assert.deepEqual(done, [1, 4]);
});

test("what waits goes at once where it is hurried, and what is under way is given up", async () => {
  /** @type {[number, boolean][]} */
  const done = [];
  const queue = new Newest(async (/** @type {number} */ item, signal) => {
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, item === 1 ? 60_000 : 1);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve(null);
      });
    });
    done.push([item, signal.aborted]);
  });
  queue.push(1);
  queue.hurry(); // nothing waits: it goes on
  assert.deepEqual(done, []);
  queue.push(2);
  queue.hurry();
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.deepEqual(done, [[1, true], [2, false]]);
});

test("each pixel has the colour of the number below it", () => {
  const pixels = new Uint32Array(5 * 4).fill(9);
  const colors = Uint32Array.from({ length: 256 }, (_, i) => i);
  const map = { data: [0, 1, 2, 3, 4], start: 1, width: 2, height: 2 };
  paintMap(pixels, 5, { left: 0, top: 0, width: 4, height: 4 }, map, { low: 0, high: 255 }, colors);
  assert.deepEqual([...pixels], [
    1, 1, 2, 2, 9,
    1, 1, 2, 2, 9,
    3, 3, 4, 4, 9,
    3, 3, 4, 4, 9,
  ]);
});
