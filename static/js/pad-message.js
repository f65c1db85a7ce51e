// What is wrong, in words beside the drawing, for as long as it is.

export class PadMessage {
  /** What is said goes with the trace of a drawing that is newer than this. */
  #since = -1;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
  }

  get words() {
    return this.element.textContent ?? "";
  }

  /**
   * @param {string} words empty when nothing is wrong
   * @param {number} [since] the version of the drawing that has nothing to do with it
   */
  say(words, since = -1) {
    this.#since = since;
    this.element.hidden = !words;
    if (this.words !== words) this.element.textContent = words;
  }

  /** @param {number} version of the drawing that all went well with */
  settle(version) {
    if (version > this.#since) this.say("");
  }

  /** One has gone on: what had nothing to do with the drawing is over. */
  forget() {
    if (this.#since >= 0) this.say("");
  }
}
