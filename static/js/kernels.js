// Kernels that are known by name, for a filter of any odd size. Positive weights sum to 1 (those of
// the sharpening kernel minus its negative ones do), so that a map stays as strong as what it reads.

/** @typedef {number[][]} Kernel rows of numbers */

/** @param {number} length odd; a row of Pascal's triangle, as a blur */
const smooth = (length) => Array.from({ length: length - 1 }).reduce(
  (/** @type {number[]} */ row) => [1, ...row.map((value, place) => value + (row[place + 1] ?? 0))], [1],
);

/**
 * A smooth row, differentiated by the taps.
 * @param {number} length odd, 3 or more
 * @param {[number, number, number]} taps
 */
function derive(length, taps) {
  const row = smooth(length - 2);
  return Array.from({ length }, (_, place) =>
    taps.reduce((sum, tap, step) => sum + tap * (row[place - step] ?? 0), 0));
}

/** @param {number[]} row with a zero at each end */
const padded = (row) => [0, ...row, 0];

/**
 * @param {number[]} column
 * @param {number[]} row
 * @returns {Kernel}
 */
const outer = (column, row) => column.map((y) => row.map((x) => y * x));

/**
 * @param {Kernel} one
 * @param {Kernel} other
 * @param {number} share of the other
 */
const plus = (one, other, share) => one.map((row, y) => row.map((value, x) => value + share * other[y][x]));

/** @param {Kernel} kernel */
function scaled(kernel) {
  const sum = kernel.flat().reduce((total, value) => total + Math.max(0, value), 0);
  return kernel.map((row) => row.map((value) => (value === 0 ? 0 : value / sum)));
}

/** @param {number} length */
const peak = (length) => Array.from({ length }, (_, place) => Number(place === (length - 1) / 2));

/**
 * The kernels that there are for a size, by name; only the identity where one side is 1, and none
 * of an even side, which has no middle.
 * @param {number} height
 * @param {number} width
 * @returns {Map<string, Kernel>}
 */
export function namedKernels(height, width) {
  if (height % 2 === 0 || width % 2 === 0) return new Map();
  const identity = outer(peak(height), peak(width));
  if (Math.min(height, width) === 1) return new Map([["Identity", identity]]);
  const blur = scaled(outer(smooth(height), smooth(width)));
  /** @type {(length: number) => number[]} */
  const edge = (length) => derive(length, [-1, 0, 1]);
  /** @type {(length: number) => number[]} */
  const bend = (length) => derive(length, [1, -2, 1]);
  const across = outer(padded(smooth(height - 2)), bend(width));
  const down = outer(bend(height), padded(smooth(width - 2)));
  return new Map([
    ["Identity", identity],
    ["Blur", blur],
    ["Sharpen", plus(identity.map((row) => row.map((value) => 2 * value)), blur, -1)],
    ["Sobel, vertical edges", scaled(outer(smooth(height), edge(width)))],
    ["Sobel, horizontal edges", scaled(outer(edge(height), smooth(width)))],
    ["Laplacian", scaled(plus(across, down, 1))],
    ["Zero", identity.map((row) => row.map(() => 0))],
  ]);
}
