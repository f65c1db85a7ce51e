// How good a model with edits is on the test pictures, beside the model that was edited: measured by
// the server while one watches.

import { refusalOf } from "./request.js";
import { percent } from "./scales.js";

export class TestAccuracy extends HTMLElement {
  /** @type {EventSource | null} */
  #source = null;
  /** @type {Map<string, number>} what was measured, by model */
  #known = new Map();
  #model = "";
  /** Whether the next edited model is to be measured, too. */
  #wanted = false;

  connectedCallback() {
    this.bar = /** @type {HTMLProgressElement} */ (this.querySelector("progress"));
    this.button = /** @type {HTMLButtonElement} */ (this.querySelector("button"));
    this.button.addEventListener("click", () => (this.#source ? this.#stop(false) : this.#measure()));
  }

  disconnectedCallback() {
    this.#source?.close();
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
      this.button.textContent = this.#source ? "Stop" : "Measure";
      this.button.hidden = !this.#source && (now !== undefined || !edited);
    }
    if (this.bar) this.bar.hidden = !this.#source;
  }

  #measure() {
    const model = this.#model;
    const url = `/api/v1/models/${encodeURIComponent(model)}/evaluation/events`;
    const source = new EventSource(url);
    this.#source = source;
    this.#wanted = true;
    this.bar?.removeAttribute("value");
    this.#write(".accuracy-says", "");
    source.addEventListener("progress", (event) => this.#progress(JSON.parse(event.data)));
    source.addEventListener("evaluated", (event) => {
      this.#known.set(model, JSON.parse(event.data).accuracy);
      this.#stop(true);
    });
    source.addEventListener("failed", (event) => {
      this.#stop(false);
      this.#write(".accuracy-says", JSON.parse(event.data).detail);
    });
    source.addEventListener("error", () => void this.#fail(source, url));
    this.#tell();
  }

  /** @param {{done: number, total: number, accuracy: number}} said */
  #progress({ done, total, accuracy }) {
    if (this.bar) [this.bar.max, this.bar.value] = [total, done];
    const count = `${done.toLocaleString("en")} of ${total.toLocaleString("en")} pictures`;
    this.#write(".accuracy-says", `${count}, ${percent(accuracy)} % so far`);
  }

  /**
   * @param {EventSource} source
   * @param {string} url
   */
  async #fail(source, url) {
    if (source !== this.#source) return;
    this.#stop(false);
    this.#write(".accuracy-says", (await refusalOf(url)) || "The connection was cut. Measure again.");
  }

  /** @param {boolean} wanted whether the next edited model is to be measured */
  #stop(wanted) {
    this.#source?.close();
    this.#source = null;
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
