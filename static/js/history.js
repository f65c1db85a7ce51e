// A run's history, made of its events one by one; epochs that were done again count once.

/**
 * @typedef {object} Epoch
 * @property {number} epoch the first is 1
 * @property {number} train_loss
 * @property {number} validation_loss
 * @property {number} validation_accuracy in 0..1
 * @property {number} seconds
 *
 * @typedef {object} Point
 * @property {number} at in epochs: 1.5 is the middle of the second
 * @property {number | null} value
 *
 * @typedef {object} Snapshot
 * @property {number} epoch 0.25 is within the first
 * @property {number} validation_loss
 * @property {number} validation_accuracy in 0..1
 * @property {number[][]} confusion a row per true class
 *
 * @typedef {object} History
 * @property {number} number of the newest event
 * @property {string} state
 * @property {string | null} error
 * @property {string | null} reason why it was cancelled, where nobody asked for it
 * @property {string | null} notice what is waited for, or has happened, while it runs
 * @property {{training_images: number} | null} started
 * @property {{epoch: number, batch: number, batches: number, progress: number} | null} batch the newest
 * @property {number | null} rate images per second, smoothed
 * @property {Point[]} batches the loss of each batch that was told of
 * @property {Epoch[]} epochs another array whenever they have changed
 * @property {Snapshot | null} snapshot the newest
 */

export const ENDED = ["finished", "failed", "cancelled", "interrupted"];
const STATES = ["queued", "running", "paused", ...ENDED];
/** What a run's stream may bring. */
export const KINDS = [...STATES, "started", "batch", "epoch", "snapshot"];
const SMOOTHING = 0.8;

/** @returns {History} */
export const emptyHistory = () => ({
  number: 0,
  state: "queued",
  error: null,
  reason: null,
  notice: null,
  started: null,
  batch: null,
  rate: null,
  batches: [],
  epochs: [],
  snapshot: null,
});

/**
 * Take in an event. One that is there already, as after a reconnection, changes nothing.
 * @param {History} history
 * @param {number} number
 * @param {string} kind
 * @param {any} facts
 * @returns {boolean} whether it was new
 */
export function take(history, number, kind, facts) {
  if (number <= history.number) return false;
  history.number = number;
  if (STATES.includes(kind)) takeState(history, kind, facts);
  else if (kind === "started") history.started = facts;
  else if (kind === "batch") takeBatch(history, facts);
  else if (kind === "epoch") takeEpoch(history, facts);
  // Runs of before the time machine don't tell how good their snapshots are.
  else if (kind === "snapshot" && facts.confusion) history.snapshot = facts;
  return true;
}

/**
 * @param {History} history
 * @param {string} state
 * @param {any} facts
 */
function takeState(history, state, facts) {
  history.state = state;
  history.error = facts.error ?? null;
  history.reason = facts.reason ?? null;
  history.notice = facts.notice ?? null;
  if (facts.from_epoch === undefined) return;
  // What a broken attempt did beyond its last finished epoch is done again.
  history.epochs = history.epochs.filter(({ epoch }) => epoch <= facts.from_epoch);
  history.batches = history.batches.filter(({ at }) => at <= facts.from_epoch);
  Object.assign(history, { started: null, batch: null, rate: null });
}

/**
 * @param {History} history
 * @param {any} facts
 */
function takeBatch(history, facts) {
  const at = facts.epoch - 1 + facts.batch / facts.batches;
  while ((history.batches.at(-1)?.at ?? -1) >= at) history.batches.pop();
  history.batches.push({ at, value: facts.loss });
  history.batch = facts;
  const now = facts.images_per_second;
  history.rate = history.rate === null ? now : SMOOTHING * history.rate + (1 - SMOOTHING) * now;
}

/**
 * @param {History} history
 * @param {Epoch} facts
 */
function takeEpoch(history, facts) {
  history.epochs = history.epochs.filter(({ epoch }) => epoch < facts.epoch);
  history.epochs.push(facts);
}

/**
 * The epoch that validated best, as the server ranks them; the first of equals.
 * @param {Epoch[]} epochs
 * @returns {Epoch | null}
 */
export function bestOf(epochs) {
  /** @type {Epoch | null} */
  let best = null;
  for (const one of epochs) {
    const ahead = best && one.validation_accuracy - best.validation_accuracy;
    if (!best || Number(ahead) > 0 || (ahead === 0 && one.validation_loss < best.validation_loss)) best = one;
  }
  return best;
}
