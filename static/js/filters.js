// Filters as a grid of numbers and in words.

/** @typedef {import("./safetensors.js").Tensor} Tensor */

/**
 * All filters, a row of kernels for each.
 * @param {Tensor} weights (filters, kernels, height, width)
 * @param {"map" | "layer"} scale one colour scale per filter, or one for all
 * @returns {import("./number-grid.js").Numbers}
 */
export function allFilters({ shape: [filters, kernels, height, width], data }, scale) {
  return {
    data, count: filters * kernels, height, width, signed: true,
    group: scale === "map" ? kernels : filters * kernels,
    across: kernels === 1 ? 0 : kernels,
    where: (tile, y, x) => `filter ${Math.floor(tile / kernels)} · kernel ${tile % kernels} · y ${y} · x ${x}`,
  };
}

/**
 * One filter, its kernels side by side.
 * @param {Tensor} weights (kernels, height, width), or those of all filters
 * @param {number} channel that the filter makes
 * @returns {import("./number-grid.js").Numbers}
 */
export function oneFilter({ shape, data }, channel) {
  const [kernels, height, width] = shape.slice(-3);
  const size = kernels * height * width;
  const start = shape.length === 4 ? channel * size : 0;
  return {
    data: data.subarray(start, start + size),
    count: kernels, height, width, signed: true, group: kernels, across: 0,
    where: (tile, y, x) => `filter ${channel} · kernel ${tile} · y ${y} · x ${x}`,
  };
}

/**
 * @param {Tensor} weights
 * @param {number} of how many filters the layer has
 */
export function filtersInWords({ shape: [filters, kernels] }, of) {
  return `${part(filters, of, "filters")}, ${kernels === 1 ? "one kernel each" : `a row of ${kernels} kernels each`}`;
}

/**
 * @param {number} shown
 * @param {number} of
 * @param {string} what
 */
export function part(shown, of, what) {
  return shown < of ? `the first ${shown} of ${of} ${what}` : `all ${of} ${what}`;
}
