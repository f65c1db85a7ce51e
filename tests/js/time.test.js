import assert from "node:assert/strict";
import { test } from "node:test";
import { sameNetwork } from "../../static/js/address.js";
import { mostConfused, shade } from "../../static/js/confusion.js";
import { allFilters, filtersInWords, oneFilter } from "../../static/js/filters.js";
import { goodnessOf, placeOf, Timeline } from "../../static/js/timeline.js";

/** @param {number} epoch */
const snapshot = (epoch) => ({
  epoch, model: `run@${epoch}`, validation_loss: 0.25, validation_accuracy: 0.5, confusion: [[1, 1], [1, 1]],
});

/** @param {number[]} epochs */
const timeline = (...epochs) => new Timeline(epochs.map(snapshot));

test("a snapshot is found by its name; one that was dropped leads to the newest", () => {
  const line = timeline(0, 0.5, 1);
  assert.equal(line.goTo("run@0.5").epoch, 0.5);
  assert.equal(line.place, 1);
  assert.equal(line.goTo("run@0.25").epoch, 1);
  assert.equal(line.go(-3).epoch, 0);
  assert.equal(line.go(9).epoch, 1);
});

test("who is at the newest snapshot goes on with the run", () => {
  const line = timeline(0, 1);
  line.goTo("run@1");
  assert.equal(line.renew([0, 1, 2, 3].map(snapshot)).epoch, 3);
});

test("who looks at an older one stays there, or goes just before where it was", () => {
  const line = timeline(0, 0.5, 1, 2);
  line.goTo("run@0.5");
  assert.equal(line.renew([0, 0.5, 1, 2, 3].map(snapshot)).epoch, 0.5);
  assert.equal(line.renew([0, 1, 2, 3, 4].map(snapshot)).epoch, 0);
});

test("places and results are told in words", () => {
  assert.equal(placeOf(snapshot(0), 5), "Before training");
  assert.equal(placeOf(snapshot(0.064), 5), "6.4 % of epoch 1");
  assert.equal(placeOf(snapshot(0.5), 5), "50 % of epoch 1");
  assert.equal(placeOf(snapshot(5), 5), "Epoch 5 of 5");
  assert.equal(goodnessOf(snapshot(1)), "50.00 % of the validation images right, loss 0.2500");
});

test("only snapshots of the same run have the same network", () => {
  assert.ok(sameNetwork("digits", "digits"));
  assert.ok(sameNetwork("5f0c@0.5", "5f0c@12"));
  assert.ok(!sameNetwork("5f0c@1", "5f0d@1"));
  assert.ok(!sameNetwork("digits", "digits-2"));
  assert.ok(!sameNetwork("5f0c@1", "digits"));
});

test("right cells are shaded by tenths of their row, wrong ones by hundredths", () => {
  assert.deepEqual([0, 1, 50, 100].map((count) => shade(count, 100, true)), [0, 1, 5, 10]);
  assert.deepEqual([0, 1, 5, 50].map((count) => shade(count, 100, false)), [0, 1, 5, 10]);
  assert.equal(shade(0, 0, true), 0);
});

test("the pairs that are confused most come first, and right ones never", () => {
  const confusion = [[9, 1, 0], [4, 9, 2], [0, 3, 9]];
  assert.deepEqual(mostConfused(confusion, 3), [[1, 0, 4], [2, 1, 3], [1, 2, 2]]);
  assert.deepEqual(mostConfused([[5, 0], [0, 5]], 3), []);
});

test("filters lie in rows of kernels, and one of them is a part of all", () => {
  const data = Float32Array.from({ length: 2 * 3 * 2 * 2 }, (_, at) => at);
  const weights = { shape: [2, 3, 2, 2], data };
  const all = allFilters(weights, "map");
  assert.deepEqual([all.count, all.across, all.group, all.height, all.width], [6, 3, 3, 2, 2]);
  assert.equal(all.where(4, 1, 0), "filter 1 · kernel 1 · y 1 · x 0");
  assert.equal(allFilters(weights, "layer").group, 6);
  const second = oneFilter(weights, 1);
  assert.deepEqual([...second.data], [...data.subarray(12)]);
  assert.deepEqual([...oneFilter({ shape: [3, 2, 2], data: data.subarray(12) }, 1).data], [...second.data]);
  assert.equal(filtersInWords(weights, 2), "all 2 filters, a row of 3 kernels each");
  assert.equal(filtersInWords({ shape: [2, 1, 2, 2], data }, 8), "the first 2 of 8 filters, one kernel each");
});
