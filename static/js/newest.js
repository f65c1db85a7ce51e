// One request in flight; of those that wait, only the newest is worth sending.

/**
 * @template Item
 */
export class Newest {
  /** @type {Item | undefined} */
  #waiting;
  #busy = false;

  /** @param {(item: Item) => Promise<void>} work must not throw */
  constructor(work) {
    this.work = work;
  }

  /** @param {Item} item */
  push(item) {
    this.#waiting = item;
    if (!this.#busy) void this.#drain();
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
        await this.work(item);
      }
    } finally {
      this.#busy = false;
    }
  }
}
