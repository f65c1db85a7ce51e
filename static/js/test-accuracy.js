// How good a model with edits is on the test pictures, beside the model that was edited: measured by
// the server while one watches.

import { inWords, measure } from "./measuring.js";
import { percent } from "./scales.js";

export class TestAccuracy extends HTMLElement {
  /** @type {(() => void) | null} what stops the measurement under way */
  #end = null;
  /** @type {Map<string, number>} what was measured, by model */
  #known = new Map();
  #model = "";
  /** Whether the next edited model is to be measured, too. */
  #wanted = false;

  connectedCallback() {
    this.bar = /** @type {HTMLProgressElement} */ (this.querySelector("progress"));
    this.button = /** @type {HTMLButtonElement} */ (this.querySelector("button"));
    this.button.addEventListener("click", () => (this.#end ? this.#stop(false) : this.#measure()));
  }

  disconnectedCallback() {
    this.#end?.();
  }

  /** @param {{model: string, base: string, base_accuracy: number | null}} edited */
  show({ model, base, base_accuracy: accuracy }) {
    if (accuracy !== null) this.#known.set(base, accuracy);
    this.#write(".accuracy-base", this.#inWords(base));
    const other = model !== this.#model;
    this.#model = model;
    this.base = base;
    if (!other) return;
    this.#stop(this.#wanted);
    this.#tell();
    if (this.#wanted && model !== base && !this.#known.has(model)) this.#measure();
  }

  /** @param {string} model */
  #inWords(model) {
    const accuracy = this.#known.get(model);
    return accuracy === undefined ? "not measured" : `${percent(accuracy)} %`;
  }

  #tell() {
    const [now, before] = [this.#known.get(this.#model), this.#known.get(this.base ?? "")];
    const edited = this.#model !== this.base;
    const points = now !== undefined && before !== undefined ? 100 * (now - before) : null;
    const change = points === null ? "" : ` (${points < 0 ? "−" : "+"}${Math.abs(points).toFixed(2)} points)`;
    this.#write(".accuracy-edited", edited ? `${this.#inWords(this.#model)}${change}` : "no edits");
    if (this.button) {
      this.button.textContent = this.#end ? "Stop" : "Measure";
      this.button.hidden = !this.#end && (now !== undefined || !edited);
    }
    if (this.bar) this.bar.hidden = !this.#end;
  }

  #measure() {
    const model = this.#model;
    this.#wanted = true;
    this.bar?.removeAttribute("value");
    this.#write(".accuracy-says", "");
    this.#end = measure(model, {
      progress: (said) => {
        if (this.bar) [this.bar.max, this.bar.value] = [said.total, said.done];
        this.#write(".accuracy-says", inWords(said));
      },
      evaluated: ({ accuracy }) => {
        this.#known.set(model, accuracy);
        this.#stop(true);
      },
      failed: (detail) => {
        this.#stop(false);
        this.#write(".accuracy-says", detail);
      },
    });
    this.#tell();
  }

  /** @param {boolean} wanted whether the next edited model is to be measured */
  #stop(wanted) {
    this.#end?.();
    this.#end = null;
    this.#wanted = wanted;
    this.#write(".accuracy-says", "");
    this.#tell();
  }

  /**
   * @param {string} where
   * @param {string} text
   */
  #write(where, text) {
    const element = this.querySelector(where);
    if (element && element.textContent !== text) element.textContent = text;
  }
}

customElements.define("test-accuracy", TestAccuracy);
