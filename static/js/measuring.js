// A model measured by the server on the test pictures, for as long as one watches.

import { refusalOf } from "./request.js";
import { percent } from "./scales.js";

/**
 * @typedef {{done: number, total: number, accuracy: number}} Progress
 * @typedef {object} Watcher
 * @property {(said: Progress) => void} progress
 * @property {(evaluation: {accuracy: number}) => void} evaluated
 * @property {(detail: string) => void} failed
 */

/**
 * Have a model measured; returns what stops it.
 * @param {string} model
 * @param {Watcher} watcher
 */
export function measure(model, watcher) {
  const url = `/api/v1/models/${encodeURIComponent(model)}/evaluation/events`;
  const source = new EventSource(url);
  let stopped = false;
  const stop = () => {
    stopped = true;
    source.close();
  };
  source.addEventListener("progress", (event) => watcher.progress(JSON.parse(event.data)));
  source.addEventListener("evaluated", (event) => {
    stop();
    watcher.evaluated(JSON.parse(event.data));
  });
  source.addEventListener("failed", (event) => {
    stop();
    watcher.failed(JSON.parse(event.data).detail);
  });
  source.addEventListener("error", async () => {
    source.close();
    const refusal = await refusalOf(url);
    if (!stopped) watcher.failed(refusal || "The connection was cut. Measure again.");
  });
  return stop;
}

/**
 * How far a measurement is, in words.
 * @param {Progress} said
 */
export function inWords({ done, total, accuracy }) {
  const count = `${done.toLocaleString("en")} of ${total.toLocaleString("en")} pictures`;
  return `${count}, ${percent(accuracy)} % so far`;
}
