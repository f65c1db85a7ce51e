// How far a run is, in words.

import { bestOf } from "./history.js";

/** @typedef {import("./history.js").History} History */

/** @param {number} share in 0..1 */
export const percent = (share) => `${(share * 100).toFixed(2)} %`;

/**
 * The state of a run; it changes rarely enough to be read aloud.
 * @param {History} history
 * @param {number} epochs that the run is to have
 * @returns {string}
 */
export function describe(history, epochs) {
  const done = history.epochs.length;
  const best = bestOf(history.epochs);
  switch (history.state) {
    case "queued":
      return "Waiting for its turn.";
    case "running":
      return history.started ? "Training." : (history.notice ?? "Starting: the images are being loaded.");
    case "paused":
      return "Paused. Resume goes on with the next batch.";
    case "finished":
      return `Finished. ${best ? `Epoch ${best.epoch} was the best: ${percent(best.validation_accuracy)} of the validation images right.` : ""}`;
    case "cancelled":
      return history.reason ?? `Cancelled after ${done} of ${epochs} epochs.`;
    case "interrupted":
      return `Interrupted: the server stopped. Resume ${done ? `goes on after epoch ${done}` : "starts it again"}.`;
    default:
      return `Failed after ${done} of ${epochs} epochs.`;
  }
}

/**
 * The share of the whole run that is done, in 0..1.
 * @param {History} history
 * @param {number} epochs
 */
export function share(history, epochs) {
  if (history.state === "finished") return 1;
  return Math.max(history.batch?.progress ?? 0, history.epochs.length / epochs);
}

/**
 * How long the rest will take: as long per epoch as the last three, or, in the first, at the
 * present rate.
 * @param {History} history
 * @param {number} epochs
 * @returns {number | null} seconds
 */
export function secondsLeft(history, epochs) {
  const rest = epochs * (1 - share(history, epochs));
  const last = history.epochs.slice(-3);
  if (last.length) return (rest * last.reduce((sum, { seconds }) => sum + seconds, 0)) / last.length;
  if (!history.rate || !history.started) return null;
  return (rest * history.started.training_images) / history.rate;
}

/**
 * A time in words, no more exact than it is known.
 * @param {number} seconds
 */
export function inWords(seconds) {
  if (seconds < 1) return "under 1 s";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
