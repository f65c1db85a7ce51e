// What of the list of runs is seen, and its address.

/** How many runs can be told apart by colour. */
export const COMPARED = 6;
const METRICS = /** @type {const} */ (["validation_accuracy", "validation_loss", "train_loss"]);

/**
 * @typedef {object} ListView
 * @property {string} query words that a line must have
 * @property {string} state that a run must be in; "" for any
 * @property {string[]} compare ids of the runs in the chart, in the order of their colours
 * @property {typeof METRICS[number]} metric what the chart shows
 */

/**
 * @param {URL} url
 * @returns {ListView}
 */
export function readList(url) {
  const query = url.searchParams;
  const ids = (query.get("compare") ?? "").split(",").filter(Boolean);
  return {
    query: query.get("q") ?? "",
    state: query.get("state") ?? "",
    compare: [...new Set(ids)].slice(0, COMPARED),
    metric: METRICS.find((one) => one === query.get("metric")) ?? METRICS[0],
  };
}

/**
 * @param {URL} url what is not part of the view is kept
 * @param {ListView} view
 * @returns {URL}
 */
export function writeList(url, view) {
  const next = new URL(url);
  const metric = view.metric === METRICS[0] ? "" : view.metric;
  const pairs = { q: view.query, state: view.state, compare: view.compare.join(","), metric };
  for (const [name, value] of Object.entries(pairs)) {
    if (value) next.searchParams.set(name, value);
    else next.searchParams.delete(name);
  }
  return next;
}
