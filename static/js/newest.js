// One request in flight; of those that wait, only the newest is worth sending.

/**
 * @template Item
 */
export class Newest {
  /** @type {Item | undefined} */
  #waiting;
  #busy = false;
  #giveUp = new AbortController();

  /** @param {(item: Item, signal: AbortSignal) => Promise<void>} work must not throw */
  constructor(work) {
    this.work = work;
  }

  /** @param {Item} item */
  push(item) {
    this.#waiting = item;
    if (!this.#busy) void this.#drain();
  }

  /** What waits goes now; what is under way is given up for it. */
  hurry() {
    if (this.#waiting !== undefined) this.#giveUp.abort();
  }

  /** Forget what waits. */
  drop() {
    this.#waiting = undefined;
  }

  async #drain() {
    this.#busy = true;
    try {
      while (this.#waiting !== undefined) {
        const item = this.#waiting;
        this.#waiting = undefined;
        this.#giveUp = new AbortController();
        await this.work(item, this.#giveUp.signal);
      }
    } finally {
      this.#busy = false;
    }
  }
}
