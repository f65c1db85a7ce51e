// Curves as numbers: thinned, and laid side by side as the chart wants them.

/** @typedef {import("./history.js").Point} Point */
/** @typedef {import("./history.js").Epoch} Epoch */

/**
 * No more than `limit` points, each the mean of those that it stands for.
 * @param {Point[]} points
 * @param {number} limit
 * @returns {Point[]}
 */
export function thin(points, limit) {
  const size = Math.ceil(points.length / limit);
  if (size <= 1) return points;
  return Array.from({ length: Math.ceil(points.length / size) }, (_, place) => {
    const some = points.slice(place * size, (place + 1) * size);
    const sum = some.reduce((total, { value }) => total + (value ?? 0), 0);
    return { at: some[some.length - 1].at, value: sum / some.length };
  });
}

/**
 * Several curves over the union of their places: a row of places, then a row for each curve, with
 * null where it has no point.
 * @param {Point[][]} curves
 * @returns {[number[], ...(number | null)[][]]}
 */
export function align(curves) {
  const places = [...new Set(curves.flatMap((points) => points.map(({ at }) => at)))].sort((a, b) => a - b);
  const rows = curves.map((points) => {
    const values = new Map(points.map(({ at, value }) => [at, value]));
    return places.map((at) => values.get(at) ?? null);
  });
  return [places, ...rows];
}

/**
 * The place nearest to `place` that has a value.
 * @param {ArrayLike<number | null | undefined>} values
 * @param {number} place
 */
export function nearest(values, place) {
  for (let away = 0; away < values.length; away++) {
    if (values[place - away] != null) return place - away;
    if (values[place + away] != null) return place + away;
  }
  return place;
}

/**
 * A curve over epochs; accuracy in percent.
 * @param {Epoch[]} epochs
 * @param {"train_loss" | "validation_loss" | "validation_accuracy"} key
 * @returns {Point[]}
 */
export const curve = (epochs, key) =>
  epochs.map((one) => ({ at: one.epoch, value: key === "validation_accuracy" ? one[key] * 100 : one[key] }));

/**
 * The epochs of a run out of its metrics.csv.
 * @param {string} text
 * @returns {Epoch[]}
 */
export function readCsv(text) {
  const [names, ...rows] = text.trim().split(/\r?\n/).map((line) => line.split(","));
  return rows.map((row) => /** @type {Epoch} */ (Object.fromEntries(row.map((cell, place) => [names[place], Number(cell)]))));
}
