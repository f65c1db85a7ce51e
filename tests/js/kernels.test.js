import assert from "node:assert/strict";
import { test } from "node:test";
import { baseOf, sameNetwork } from "../../static/js/address.js";
import { namedKernels } from "../../static/js/kernels.js";

/** @param {number[][]} kernel @param {number} factor */
const times = (kernel, factor) => kernel.map((row) => row.map((value) => value * factor + 0));
/** @param {number[][]} kernel */
const sum = (kernel) => kernel.flat().reduce((total, value) => total + value, 0);

test("of 3 × 3 they are those of the textbooks", () => {
  const kernels = namedKernels(3, 3);
  assert.deepEqual(kernels.get("Identity"), [[0, 0, 0], [0, 1, 0], [0, 0, 0]]);
  assert.deepEqual(times(kernels.get("Blur"), 16), [[1, 2, 1], [2, 4, 2], [1, 2, 1]]);
  assert.deepEqual(times(kernels.get("Sobel, vertical edges"), 4), [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]);
  assert.deepEqual(times(kernels.get("Sobel, horizontal edges"), 4), [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]);
  assert.deepEqual(times(kernels.get("Laplacian"), 4), [[0, 1, 0], [1, -4, 1], [0, 1, 0]]);
  assert.deepEqual(times(kernels.get("Sharpen"), 16), [[-1, -2, -1], [-2, 28, -2], [-1, -2, -1]]);
});

test("of 5 × 5 the Sobel kernel is smooth one way and differentiates the other", () => {
  const kernel = namedKernels(5, 5).get("Sobel, vertical edges");
  const row = [-1, -2, 0, 2, 1];
  assert.deepEqual(times(kernel, 48), [1, 4, 6, 4, 1].map((y) => row.map((x) => y * x)));
});

test("of every odd size they keep a flat map, or make nothing of it", () => {
  for (const [height, width] of [[3, 3], [5, 5], [7, 7], [11, 11], [3, 7]]) {
    for (const [name, kernel] of namedKernels(height, width)) {
      assert.equal(kernel.length, height, name);
      assert.ok(kernel.every((row) => row.length === width), name);
      const kept = ["Identity", "Blur", "Sharpen"].includes(name) ? 1 : 0;
      assert.ok(Math.abs(sum(kernel) - kept) < 1e-12, `${name} of ${height} × ${width}: ${sum(kernel)}`);
    }
  }
});

test("of one number there is but the identity, and of an even side there is none", () => {
  assert.deepEqual([...namedKernels(1, 1)], [["Identity", [[1]]]]);
  assert.equal(namedKernels(2, 2).size, 0);
});

test("edited models are the network that they were made of", () => {
  assert.ok(sameNetwork("digits", "digits~3f2a"));
  assert.ok(sameNetwork("run@1~3f2a", "run@2"));
  assert.ok(!sameNetwork("digits~3f2a", "lenet5~3f2a"));
  assert.ok(!sameNetwork("run", "run@1"));
  assert.equal(baseOf("run@1~3f2a"), "run@1");
  assert.equal(baseOf("digits"), "digits");
});
