// A run's snapshots in order, and the one that is looked at. Numbers and words only.

import { percent } from "./progress.js";

/** @typedef {import("./history.js").Snapshot & {model: string}} Snapshot */

export class Timeline {
  place = 0;

  /** @param {Snapshot[]} snapshots by epoch, at least one */
  constructor(snapshots) {
    this.snapshots = snapshots;
  }

  get now() {
    return this.snapshots[this.place];
  }

  get last() {
    return this.snapshots.length - 1;
  }

  /** @param {number} place is brought within the ends */
  go(place) {
    this.place = Math.min(this.last, Math.max(0, place));
    return this.now;
  }

  /** @param {string} model a snapshot's name; one that isn't there leads to the newest */
  goTo(model) {
    const place = this.snapshots.findIndex((one) => one.model === model);
    return this.go(place < 0 ? this.last : place);
  }

  /**
   * Take in the list of now: who was at the newest goes to the newest, everyone else stays.
   * @param {Snapshot[]} snapshots
   */
  renew(snapshots) {
    const [following, { epoch }] = [this.place === this.last, this.now];
    this.snapshots = snapshots;
    const near = snapshots.findLastIndex((one) => one.epoch <= epoch);
    return this.go(following ? this.last : near);
  }

  /** @param {number} epoch */
  has(epoch) {
    return this.snapshots.some((one) => one.epoch === epoch);
  }
}

/**
 * Where a snapshot lies, in words.
 * @param {Snapshot} snapshot
 * @param {number} epochs of the run
 */
export function placeOf({ epoch }, epochs) {
  if (epoch === 0) return "Before training";
  if (epoch < 1) return `${Number((epoch * 100).toPrecision(2))} % of epoch 1`;
  return `Epoch ${epoch} of ${epochs}`;
}

/**
 * How good a snapshot is, in words.
 * @param {Snapshot} snapshot
 */
export function goodnessOf({ validation_accuracy: right, validation_loss: loss }) {
  return `${percent(right)} of the validation images right, loss ${loss.toFixed(4)}`;
}
