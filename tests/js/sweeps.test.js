import assert from "node:assert/strict";
import { test } from "node:test";
import { accuracySpan, axesOf, linearTicks, logTicks, pathOf, sayValue, sorted } from "../../static/js/parallel.js";
import { countRuns, readChoices, readValues, sayCount } from "../../static/js/sweep-plan.js";

/**
 * @param {Record<string, any>} values
 * @param {number | null} accuracy
 * @returns {import("../../static/js/parallel.js").SweptRun}
 */
const run = (values, accuracy = null) => ({ id: JSON.stringify(values), name: "", state: "finished", values, epoch: 1, epochs: 1, best_accuracy: accuracy, reason: null });

test("values are typed with commas; what is no number is left to the server", () => {
  assert.deepEqual(readValues("0.1, 1e-3 ,5,", true), [0.1, 0.001, 5]);
  assert.deepEqual(readValues("0.1, fast", true), [0.1, "fast"]);
  assert.deepEqual(readValues(" sgd, adam ", false), ["sgd", "adam"]);
  assert.deepEqual(readValues("", true), []);
  assert.deepEqual(readValues('[], ["rotation"], [{"name": "crop", "padding": 2}]', false), [[], ["rotation"], [{ name: "crop", padding: 2 }]]);
  assert.deepEqual(readValues("[1, ", false), ["[1,"]);
});

test("a field is a list or a range", () => {
  const typed = { name: "learning_rate", values: "1, 2", low: "1e-4", high: "" };
  assert.deepEqual(readChoices({ ...typed, kind: "list" }, true), [1, 2]);
  assert.deepEqual(readChoices({ ...typed, kind: "log" }, true), { low: 0.0001, high: "", scale: "log" });
});

test("the runs are counted before they begin", () => {
  assert.equal(countRuns("grid", [[1, 2, 3], ["a", "b"]], ""), 6);
  assert.equal(countRuns("grid", [[1, 2, 3], []], ""), 0);
  assert.equal(countRuns("random", [{ low: 0, high: 1, scale: "linear" }], 7), 7);
  assert.equal(countRuns("random", [[1]], ""), 0);
  assert.equal(sayCount("grid", [], ""), "Choose a field to vary.");
  assert.equal(sayCount("grid", [[]], ""), "Type the values to try.");
  assert.equal(sayCount("grid", [[1]], ""), "This makes 1 run.");
  assert.equal(sayCount("grid", [Array.from({ length: 101 })], ""), "This makes 101 runs; 100 are the most.");
});

test("ticks are round numbers within the span", () => {
  assert.deepEqual(linearTicks({ low: 0, high: 1 }), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(linearTicks({ low: 13, high: 98 }), [20, 40, 60, 80]);
  assert.deepEqual(linearTicks({ low: 97.2, high: 97.4 }), [97.2, 97.25, 97.3, 97.35, 97.4]);
  assert.deepEqual(logTicks({ low: 0.0001, high: 0.1 }), [0.0001, 0.001, 0.01, 0.1]);
  assert.deepEqual(logTicks({ low: 0.003, high: 0.04 }), [0.005, 0.01, 0.02]);
  assert.deepEqual(logTicks({ low: 3, high: 4 }), [3, 4]);
});

test("words stand in the order of the runs, listed numbers by size, all equally far apart", () => {
  const fields = { optimizer: ["sgd", "adam"], batch_size: [64, 8, 16] };
  const runs = fields.optimizer.flatMap((optimizer) => fields.batch_size.map((batch_size) => run({ optimizer, batch_size })));
  const [optimizer, size] = axesOf(fields, runs);
  assert.deepEqual(optimizer.ticks, [{ at: 0, text: "sgd" }, { at: 1, text: "adam" }]);
  assert.deepEqual(size.ticks, [{ at: 0, text: "8" }, { at: 0.5, text: "16" }, { at: 1, text: "64" }]);
  assert.equal(size.place(runs[0]), 1);
});

test("a log axis has equal ratios equally far apart", () => {
  const runs = [run({ rate: 0.001 }, 0.5), run({ rate: 0.01 }, 0.75), run({ rate: 0.1 }, 1)];
  const [log] = axesOf({ rate: { low: 0.001, high: 0.1, scale: "log" } }, runs);
  const [linear] = axesOf({ rate: { low: 0, high: 0.1, scale: "linear" } }, runs);
  runs.forEach((one, place) => assert.ok(Math.abs(log.place(one) - place / 2) < 1e-9));
  assert.ok(Math.abs(linear.place(runs[1]) - 0.1) < 1e-9);
  assert.equal(log.name, "rate (log)");
});

test("the accuracy spans from the worst to the best", () => {
  const runs = [run({ a: 1 }, 0.5), run({ a: 2 }, null), run({ a: 3 }, 0.9)];
  assert.deepEqual(accuracySpan(runs), { low: 0.5, high: 0.9 });
  assert.equal(accuracySpan([runs[1]]), null);
  const axis = axesOf({ a: [1, 2, 3] }, runs)[1];
  assert.deepEqual([axis.place(runs[0]), axis.place(runs[2])], [0, 1]);
  assert.deepEqual(axis.ticks.map(({ text }) => text), ["50 %", "60 %", "70 %", "80 %", "90 %"]);
  const same = axesOf({ a: [1] }, [run({ a: 1 }, 0.25)])[1];
  assert.deepEqual(same.ticks, [{ at: 0.5, text: "25 %" }]);
});

test("a line goes through its place on every axis", () => {
  const runs = [run({ a: 1 }, 0.5), run({ a: 2 }, 1)];
  const axes = axesOf({ a: [1, 2] }, runs);
  const box = { left: 10, top: 20, width: 100, height: 50 };
  assert.equal(pathOf(runs[0], axes, box), "M10 70L110 70");
  assert.equal(pathOf(runs[1], axes, box), "M10 20L110 20");
});

test("rows without a value come last, either way", () => {
  const runs = [run({ a: 10 }, 0.5), run({ a: 9 }, null), run({ a: "b" }, 0.9)];
  const best = (/** @type {any} */ one) => one.best_accuracy;
  assert.deepEqual(sorted(runs, best, true).map(best), [0.9, 0.5, null]);
  assert.deepEqual(sorted(runs, best, false).map(best), [0.5, 0.9, null]);
  assert.deepEqual(sorted([{ a: 10 }, { a: 9 }], ({ a }) => a, false), [{ a: 9 }, { a: 10 }]);
});

test("values in words", () => {
  assert.equal(sayValue([]), "none");
  assert.equal(sayValue([{ name: "crop", padding: 2 }, { name: "rotation" }]), "crop + rotation");
  assert.equal(sayValue(0.30000000000000004), "0.3");
});
