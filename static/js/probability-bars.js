// The answer: softmax as bars, live.

import { percent } from "./scales.js";

/**
 * @typedef {object} Prediction
 * @property {string} model
 * @property {string} label
 * @property {number} probability
 * @property {{label: string, probability: number}[]} probabilities
 * @property {number[]} logits
 * @property {number} elapsed_ms
 */

export class ProbabilityBars extends HTMLElement {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #saying;

  connectedCallback() {
    this.label = this.querySelector(".answer-label");
    this.share = this.querySelector(".answer-share");
    this.rows = [...this.querySelectorAll("li")];
    /** The bars themselves: what a row is told, the browser looks up again for all within. */
    this.fills = /** @type {HTMLElement[]} */ ([...this.querySelectorAll(".fill")]);
    this.rows.forEach((row, rank) => {
      row.querySelector("button")?.addEventListener("click", () => this.#choose(rank));
    });
    /** Of so many classes that only the most probable have a row: how many; else 0. */
    this.ranked = Number(this.dataset.ranked ?? 0);
  }

  /** @type {Prediction | null} */
  #prediction = null;

  /**
   * A row was chosen: tell whose class it is.
   * @param {number} rank
   */
  #choose(rank) {
    const { logits } = this.#prediction ?? { logits: [] };
    const order = logits.map((_, place) => place).sort((a, b) => logits[b] - logits[a]);
    const place = this.ranked ? order[rank] : rank;
    if (this.#prediction) this.dispatchEvent(new CustomEvent("choose", { detail: { place } }));
  }

  /** @param {Prediction | null} prediction null while there is nothing to predict */
  show(prediction) {
    this.#prediction = prediction;
    this.toggleAttribute("data-empty", !prediction);
    set(this.label, prediction?.label ?? "?");
    set(this.share, prediction ? `${percent(prediction.probability)} %` : "");
    // Softmax keeps the order, so the n-th most probable class has the n-th largest logit.
    const logits = this.ranked ? prediction?.logits.toSorted((a, b) => b - a) : prediction?.logits;
    this.rows?.forEach((row, place) => {
      const entry = prediction?.probabilities[place];
      row.toggleAttribute("data-best", !!entry && (this.ranked ? place === 0 : entry.label === prediction?.label));
      if (this.ranked) set(row.querySelector(".label"), entry?.label ?? "");
      this.fills?.[place].style.setProperty("--share", String(entry?.probability ?? 0));
      set(row.querySelector(".share"), entry ? `${percent(entry.probability)} %` : "");
      const logit = prediction ? `logit ${logits?.[place]}, probability ${entry?.probability}` : "";
      row.title = logit;
    });
    this.#say(prediction);
  }

  /**
   * Mark what another model says of the same picture.
   * @param {Prediction | null} before
   */
  mark(before) {
    this.toggleAttribute("data-compared", !!before && !this.ranked);
    this.rows?.forEach((row, place) => {
      row.style.setProperty("--before", String(before?.probabilities[place]?.probability ?? 0));
    });
    const words = this.querySelector(".answer-before");
    words?.toggleAttribute("hidden", !before);
    set(words, before ? `Before the edits: ${before.label}, ${percent(before.probability)} %` : "");
  }

  /**
   * Tell a screen reader, but not at every step of a stroke.
   * @param {Prediction | null} prediction
   */
  #say(prediction) {
    clearTimeout(this.#saying);
    const words = prediction
      ? `The model says ${prediction.label}, ${percent(prediction.probability)} per cent.`
      : "";
    this.#saying = setTimeout(() => set(this.querySelector("[role=status]"), words), 600);
  }
}

/**
 * @param {Element | null | undefined} element
 * @param {string} text
 */
function set(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

customElements.define("probability-bars", ProbabilityBars);
