import assert from "node:assert/strict";
import { test } from "node:test";
import { format, palette, percent, spanOf } from "../../static/js/scales.js";

test("a palette begins and ends with its stops and is linear between", () => {
  const colors = palette(["#000000", "#ff0000"]);
  const red = (/** @type {number} */ color) => color & 255;
  assert.equal(colors.length, 256);
  assert.deepEqual([...colors].map(red), Array.from({ length: 256 }, (_, i) => i));
  assert.equal(colors[0] >>> 24, 255);
});

test("a signed span has zero in its middle, another begins at zero", () => {
  assert.deepEqual(spanOf([1, -3, 2], true), { low: -3, high: 3 });
  assert.deepEqual(spanOf([1, 3, 2], false), { low: 0, high: 3 });
  assert.deepEqual(spanOf([9, 1, 2, 9], false, 1, 3), { low: 0, high: 2 });
  assert.deepEqual(spanOf([0, 0], true), { low: -1, high: 1 });
});

test("numbers read well and are never rounded to zero", () => {
  assert.equal(format(0), "0");
  assert.equal(format(-0), "0");
  assert.equal(format(-1.75128), "−1.7513");
  assert.equal(format(3e-8), "3.000e−8");
  assert.equal(format(-123456), "−1.235e+5");
});

test("a percentage claims no certainty that isn't there", () => {
  assert.equal(percent(0.9999999), "> 99.99");
  assert.equal(percent(1), "100.00");
  assert.equal(percent(1e-9), "< 0.01");
  assert.equal(percent(0), "0.00");
  assert.equal(percent(0.5), "50.00");
});
