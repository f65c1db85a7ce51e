// The button on a model's page that has it measured, and says how far that is.

import { inWords, measure } from "./measuring.js";

export class MeasureModel extends HTMLElement {
  /** @type {(() => void) | null} */
  #stop = null;

  connectedCallback() {
    this.button = /** @type {HTMLButtonElement} */ (this.querySelector("button"));
    this.bar = /** @type {HTMLProgressElement} */ (this.querySelector("progress"));
    this.says = /** @type {HTMLElement} */ (this.querySelector("[role=status]"));
    this.button.addEventListener("click", () => (this.#stop ? this.#end("") : this.#begin()));
  }

  disconnectedCallback() {
    this.#stop?.();
  }

  #begin() {
    this.bar?.removeAttribute("value");
    this.#stop = measure(this.dataset.model ?? "", {
      progress: (said) => {
        if (this.bar) [this.bar.max, this.bar.value] = [said.total, said.done];
        this.#say(inWords(said));
      },
      // The server knows it now, and shows it.
      evaluated: () => location.reload(),
      failed: (detail) => this.#end(detail),
    });
    this.#show("");
  }

  /** @param {string} words */
  #end(words) {
    this.#stop?.();
    this.#stop = null;
    this.#show(words);
  }

  /** @param {string} words */
  #show(words) {
    if (this.button) this.button.textContent = this.#stop ? "Stop" : "Measure";
    if (this.bar) this.bar.hidden = !this.#stop;
    this.#say(words);
  }

  /** @param {string} words */
  #say(words) {
    if (this.says) this.says.textContent = words;
  }
}

customElements.define("measure-model", MeasureModel);
