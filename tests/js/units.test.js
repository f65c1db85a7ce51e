import assert from "node:assert/strict";
import { test } from "node:test";
import { addingUp, rounded } from "../../static/js/adding.js";
import { carried, following, inputAt, isUnit, neighbour, strongestInput } from "../../static/js/walking.js";

/** @param {string} text */
const numberOf = (text) => Number(text.replace("−", "-"));

test("what is shown adds up to what is shown", () => {
  const thirds = addingUp([1 / 3, 1 / 3, 1 / 3], 1, 4);
  assert.deepEqual(thirds.parts, ["0.3334", "0.3333", "0.3333"]);
  assert.deepEqual([thirds.sum, thirds.without(0), thirds.without(1)], ["1.0000", "0.6666", "0.6667"]);
  const line = addingUp([-1.69294, -0.05836], -1.7513, 4);
  assert.deepEqual([line.parts, line.sum], [["−1.6929", "−0.0584"], "−1.7513"]);
  assert.deepEqual(addingUp([], 0, 4).parts, []);
});

test("it does so for any numbers, each no further than one last digit from its own", () => {
  let seed = 1;
  const chance = () => (seed = (seed * 16807) % 2147483647) / 2147483647 - 0.5;
  for (const digits of [4, 7, 10]) {
    for (let round = 0; round < 200; round++) {
      const parts = Array.from({ length: 1 + (round % 20) }, () => chance() * 10 ** (round % 4));
      const sum = parts.reduce((all, one) => all + one, 0);
      const shown = addingUp(parts, sum, digits);
      const scale = 10 ** digits;
      const units = shown.parts.map((part) => Math.round(numberOf(part) * scale));
      assert.equal(units.reduce((all, one) => all + one, 0), Math.round(numberOf(shown.sum) * scale));
      units.forEach((unit, place) => assert.ok(Math.abs(unit - parts[place] * scale) <= 1.001));
      assert.equal(shown.sum, rounded(sum, digits));
    }
  }
});

test("a number alone is rounded as usual", () => {
  assert.deepEqual([0, -0.00004, 12.34567, -0.5].map((value) => rounded(value, 4)), ["0.0000", "0.0000", "12.3457", "−0.5000"]);
});

const conv = /** @type {import("../../static/js/walking.js").Unit} */ (/** @type {unknown} */ ({
  layer: "conv2", kind: "conv2d", index: [9, 0, 1], reads: ["pool1"], details: {},
  window: { rows: [null, 0, 1], columns: [0, 1, 2], padding: "zeros" },
  terms: [
    { source: "pool1", channel: 5, inputs: [[0, 0, 0], [1, 2, 3], [4, 5, 6]], weights: null, products: [[9, 9, 9], [1, -7, 2], [3, 0, 6]] },
    { source: "pool1", channel: 2, inputs: [[0, 0, 0], [0, 0, 0], [0, 0, 0]], weights: null, products: [[0, 0, 0], [0, 0, 0], [0, 0, 0]] },
  ],
}));

test("the strongest input is that of the largest product, never one of the padding", () => {
  assert.deepEqual(strongestInput(conv), { layer: "pool1", channel: 5, y: 0, x: 1 });
  assert.deepEqual(strongestInput(conv, 1), { layer: "pool1", channel: 2, y: 0, x: 0 });
  assert.equal(strongestInput(conv, 2), null);
  assert.deepEqual(inputAt(conv, conv.terms[0], 2, 2), { layer: "pool1", channel: 5, y: 1, x: 2 });
  assert.equal(inputAt(conv, conv.terms[0], 0, 1), null);
});

test("a max-pool leads to its winner, softmax to the logit of its class", () => {
  const pool = { ...conv, kind: "max_pool2d", details: { winner: [7, 8] } };
  assert.deepEqual(strongestInput(pool), { layer: "pool1", channel: 5, y: 7, x: 8 });
  const softmax = { ...conv, kind: "softmax", index: [3, 0, 0], reads: ["fc1"], terms: [] };
  assert.deepEqual(strongestInput(softmax), { layer: "fc1", channel: 3, y: 0, x: 0 });
});

test("arrows move within a map, and along a row of units", () => {
  const place = { layer: "a", channel: 1, y: 0, x: 2 };
  assert.deepEqual(neighbour([4, 3, 3], place, 0, 1), { ...place, y: 1 });
  assert.equal(neighbour([4, 3, 3], place, 1, 0), null);
  assert.equal(neighbour([4, 3, 3], place, 0, -1), null);
  const row = { layer: "fc", channel: 9, y: 0, x: 0 };
  assert.equal(neighbour([10], row, 1, 0), null);
  assert.deepEqual(neighbour([10], row, -1, 0), { ...row, channel: 8 });
});

test("playing goes through a map line by line, and begins again", () => {
  const place = { layer: "a", channel: 1, y: 0, x: 2 };
  assert.deepEqual(following([4, 3, 3], place), { ...place, y: 1, x: 0 });
  assert.deepEqual(following([4, 3, 3], { ...place, y: 2 }), { ...place, y: 0, x: 0 });
  assert.equal(following([10], { layer: "fc", channel: 9, y: 0, x: 0 }).channel, 0);
});

test("another layer is entered at the same place of the picture", () => {
  const place = { layer: "conv1", channel: 40, y: 27, x: 13 };
  assert.deepEqual(carried([48, 28, 28], [16, 14, 14], place, "pool1"), { layer: "pool1", channel: 15, y: 13, x: 6 });
  assert.deepEqual(carried([16, 14, 14], [784], { ...place, y: 3, x: 3 }, "flatten"), { layer: "flatten", channel: 40, y: 0, x: 0 });
  assert.ok(isUnit([10], { channel: 9, y: 0, x: 0 }) && !isUnit([10], { channel: 10, y: 0, x: 0 }));
});
