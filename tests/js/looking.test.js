import assert from "node:assert/strict";
import { test } from "node:test";
import { channelOf, isLarge, mostFilters, mostInColumn, notePicked, wordsFor } from "../../static/js/looking.js";

const bn = { name: "bn2", output_shape: [512, 7, 7], weight_shape: [512], reads: ["conv2"], channelwise: true };
const conv = { name: "conv2", output_shape: [512, 7, 7], weight_shape: [512, 512, 3, 3], reads: ["relu"], channelwise: false };
const fc = { name: "fc", output_shape: [1000], weight_shape: [1000, 512], reads: ["flatten"], channelwise: false };

test("a network is large by the numbers in its layers", () => {
  assert.equal(isLarge([[16, 28, 28], [48, 14, 14], [1152], [10]]), false);
  assert.equal(isLarge([[16, 100, 100], [16, 50, 50], [16, 50, 50], [32, 50, 50], [20000]]), false);
  assert.equal(isLarge([[64, 112, 112]]), true);
});

test("large maps are few, small ones many, and some there always are", () => {
  assert.deepEqual([224, 112, 56, 28, 7].map((side) => mostInColumn(side * side)), [4, 5, 20, 83, 1337]);
  const opened = [224, 112].map((side) => wordsFor([], { layer: { ...conv, output_shape: [64, side, side] }, channel: null }));
  assert.deepEqual(opened, [["conv2:5"], ["conv2:20"]]);
});

test("of filters there are as many as one can paint, of rows as many as one can send", () => {
  // A 3 x 3 kernel takes 12 x 12 pixels with its gap, and 512 of them make 28 of 2 ** 21 pixels.
  assert.equal(mostFilters([512, 512, 3, 3]), 28);
  assert.equal(mostFilters([512, 256, 1, 1]), 227);
  assert.ok(mostFilters([64, 3, 7, 7]) > 64);
  assert.equal(mostFilters([8, 10000, 11, 11]), 4);
  assert.equal(mostFilters([1000, 25088]), 10);
});

test("a trace is asked for what is in view, and for what is opened", () => {
  const columns = [{ name: "input", count: 3, shown: 3 }, { name: "a", count: 64, shown: 4 }, { name: "b", count: 5, shown: 5 }];
  assert.deepEqual(wordsFor(columns, null), ["a:4", "b"]);
  assert.deepEqual(wordsFor([], { layer: conv, channel: 9 }), ["conv2@9"]);
  assert.deepEqual(wordsFor([], { layer: bn, channel: 9 }), ["bn2@9", "conv2@9"]);
  assert.deepEqual(wordsFor([], { layer: { ...bn, reads: ["input"] }, channel: 1 }), ["bn2@1"]);
  assert.deepEqual(wordsFor([], { layer: conv, channel: null }), ["conv2"]);
  assert.deepEqual(wordsFor([], { layer: { ...conv, output_shape: [64, 224, 224] }, channel: null }), ["conv2:5"]);
  assert.deepEqual(wordsFor([], { layer: fc, channel: null }), ["fc"]);
});

test("a channel is found by its number, wherever it lies", () => {
  const tensor = () => ({ shape: [2, 1, 2], data: Float32Array.of(1, 2, 3, 4) });
  const tensors = new Map([["a", tensor()], ["b", tensor()]]);
  notePicked(tensors, { picked: JSON.stringify({ a: { channels: [7, 0] } }) });
  const [a, b] = [...tensors.values()];
  assert.deepEqual([0, 7].map((channel) => [...(channelOf(a, channel) ?? [])]), [[3, 4], [1, 2]]);
  assert.equal(channelOf(a, 1), null);
  assert.deepEqual([...(channelOf(b, 1) ?? [])], [3, 4]);
});
