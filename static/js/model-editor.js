// Edits of a model by hand: a channel off, other weights; what was edited, undone and kept; and how
// the answer changed.

import "./test-accuracy.js";
import "./weight-fields.js";
import { Newest } from "./newest.js";
import { Refusal, request } from "./request.js";
import { percent } from "./scales.js";

/** @typedef {import("./map-inspector.js").Layer} Layer */
/** @typedef {import("./probability-bars.js").Prediction} Prediction */
/** @typedef {import("./weight-fields.js").Edit} Edit */
/**
 * @typedef {object} Edited as GET /api/v1/models/{model}/edits answers it
 * @property {string} model
 * @property {string} title
 * @property {string} base
 * @property {number | null} base_accuracy
 * @property {Edit[]} edits
 * @property {string[]} words
 */
/**
 * @typedef {object} Sent a picture as it was sent
 * @property {Record<string, string>} headers
 * @property {BodyInit} body
 */

const CHANGES = 3;

/** Whether the editors are open: they take more room than most screens have below the network. */
let open = false;

export class ModelEditor extends HTMLElement {
  /** @type {Map<string, Edited>} */
  #met = new Map();
  /** @type {Edit[]} what was undone, the next to be done again first */
  #undone = [];
  /** Edits go one after another, each to the model that the one before has made. */
  #last = Promise.resolve();
  #comparing = new Newest(
    /** @param {{prediction: Prediction, sent: Sent}} item */
    ({ prediction, sent }, signal) => this.#compare(prediction, sent, signal),
  );

  connectedCallback() {
    // In what htmx puts into the page, the parts within would come to life after this.
    customElements.upgrade(this);
    /** @type {Edited} */
    const now = JSON.parse(this.querySelector("script")?.textContent ?? "{}");
    this.now = now;
    this.#met.set(now.model, now);
    this.#met.set(now.base, { ...now, model: now.base, title: "", edits: [], words: [] });
    this.fields = /** @type {import("./weight-fields.js").WeightFields} */ (this.querySelector("weight-fields"));
    this.accuracy = /** @type {import("./test-accuracy.js").TestAccuracy} */ (this.querySelector("test-accuracy"));
    this.unit = /** @type {HTMLInputElement} */ (this.querySelector(".edit-unit input"));
    this.unit.addEventListener("change", () => this.#showChannel());
    this.addEventListener("change-weights", (event) => this.#add(/** @type {CustomEvent} */ (event).detail));
    // A field says so when its text is selected; around here a channel is.
    this.addEventListener("select", (event) => event.stopPropagation());
    this.addEventListener("click", (event) => this.#click(event));
    this.querySelector(".edit-keep")?.addEventListener("submit", (event) => void this.#keep(event));
    this.toggle = this.parentElement?.querySelector(".edit-toggle");
    this.toggle?.addEventListener("click", () => this.#open(!open));
    this.#open(open || now.edits.length > 0);
    this.#showEdits();
  }

  /** @param {boolean} wanted */
  #open(wanted) {
    open = wanted;
    this.hidden = !open;
    this.toggle?.setAttribute("aria-pressed", String(open));
    if (open) this.#showChannel();
  }

  /** What an edited model is called; nothing where nothing is edited. */
  get caption() {
    return this.now?.edits.length ? this.now.title : "";
  }

  /**
   * The model is another one now: more edits, fewer, or a snapshot beside it.
   * @param {string} name
   */
  async become(name) {
    if (name === this.now?.model) return;
    const next = await this.#find(name).catch(() => null); // Its trace is refused, too, and says why.
    if (next) this.#take(next);
  }

  /**
   * @param {string} name
   * @returns {Promise<Edited>}
   */
  async #find(name) {
    const met = this.#met.get(name);
    if (met) return met;
    if (!name.includes("~")) return { model: name, title: "", base: name, base_accuracy: null, edits: [], words: [] };
    return (await request(`/api/v1/models/${encodeURIComponent(name)}/edits`)).json();
  }

  /** @param {Edited} next */
  #take(next) {
    const [before, after] = [this.now?.edits ?? [], next.edits];
    if (starts(before, after)) this.#undone = [...before.slice(after.length), ...this.#undone];
    else {
      const redone = starts(after, before) && starts(this.#undone, after.slice(before.length));
      this.#undone = redone ? this.#undone.slice(after.length - before.length) : [];
    }
    this.#met.set(next.model, next);
    this.now = next;
    this.#showEdits();
    this.dispatchEvent(new CustomEvent("retitle", { bubbles: true }));
  }

  /**
   * Edit this channel, or in a layer of vectors one of its units.
   * @param {Layer} layer
   * @param {number | null} channel
   */
  show(layer, channel) {
    const vector = layer.output_shape.length === 1;
    const one = layer.name !== "input" && (channel !== null || vector);
    this.layer = layer;
    this.channel = channel;
    this.querySelector(".edit-hint")?.toggleAttribute("hidden", one || layer.name === "input");
    this.querySelector(".edit-make")?.toggleAttribute("hidden", !one && layer.name === "input");
    this.querySelector(".edit-tools")?.toggleAttribute("hidden", !one);
    this.querySelector(".edit-unit")?.toggleAttribute("hidden", !vector);
    if (this.unit) this.unit.max = String(layer.output_shape[0] - 1);
    this.#showChannel();
  }

  /** The channel or the unit that is edited. */
  get #chosen() {
    if (this.channel !== null && this.channel !== undefined) return this.channel;
    const { layer, unit } = this;
    if (!layer || layer.output_shape.length !== 1 || layer.name === "input") return null;
    return Math.min(layer.output_shape[0] - 1, Math.max(0, Math.trunc(Number(unit?.value)) || 0));
  }

  #showChannel() {
    const [{ layer, fields, now }, channel] = [this, this.#chosen];
    if (this.hidden || !layer || !fields || !now || channel === null) return;
    const noun = layer.output_shape.length === 1 ? "unit" : "channel";
    this.#write(".edit-off", `Switch ${noun} ${channel} off`);
    fields.hidden = !layer.weight_shape;
    if (layer.weight_shape) void fields.show(now.model, layer, channel);
  }

  #showEdits() {
    const { now } = this;
    if (!now) return;
    this.querySelector(".edit-list")?.replaceChildren(...now.words.map((words) => {
      const line = document.createElement("li");
      line.textContent = words;
      return line;
    }));
    this.toggleAttribute("data-edited", now.edits.length > 0);
    this.#write(".edit-none", now.edits.length ? "" : `Nothing is edited: this is ${now.base} as it is.`);
    this.querySelector(".edit-done")?.toggleAttribute("hidden", !now.edits.length);
    this.#enable();
    this.#showChanges(null, null);
    this.accuracy?.show(now);
    this.#showChannel();
  }

  #enable() {
    const edits = this.now?.edits.length ?? 0;
    for (const [name, able] of /** @type {[string, boolean][]} */ ([
      [".edit-undo", edits > 0], [".edit-redo", this.#undone.length > 0], [".edit-original", edits > 0],
    ])) this.querySelector(name)?.toggleAttribute("disabled", !able);
  }

  /** @param {Event} event */
  #click(event) {
    const button = /** @type {Element} */ (event.target).closest("button");
    if (!button || !this.now) return;
    if (button.matches(".edit-off")) this.#add({ layer: this.layer?.name, channel: this.#chosen, off: true });
    if (button.matches(".edit-undo")) this.#go((now) => [now.base, now.edits.slice(0, -1)]);
    if (button.matches(".edit-redo")) this.#go((now) => [now.model, this.#undone.slice(0, 1)]);
    if (button.matches(".edit-original")) this.#go((now) => [now.base, []]);
  }

  /** @param {Edit} edit */
  #add(edit) {
    this.#go((now) => [now.model, [edit]]);
  }

  /**
   * Go on with a model after some edits of it, or as it is.
   * @param {(now: Edited) => [string, Edit[]]} plan
   */
  #go(plan) {
    this.#last = this.#last.catch(() => {}).then(() => this.now && this.#become(...plan(this.now)));
  }

  /**
   * @param {string} model
   * @param {Edit[]} edits
   */
  async #become(model, edits) {
    try {
      const next = edits.length ? await send(model, "edits", { edits }) : await this.#find(model);
      this.#write(".edit-refusal", "");
      this.#take(next);
      this.dispatchEvent(new CustomEvent("edit", { bubbles: true, detail: { model: this.now?.model } }));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#write(".edit-refusal", error.message);
    }
  }

  /** @param {Event} event */
  async #keep(event) {
    event.preventDefault();
    const field = /** @type {HTMLInputElement} */ (this.querySelector(".edit-keep input"));
    const kept = /** @type {HTMLElement} */ (this.querySelector(".edit-kept"));
    try {
      const { name } = await send(this.now?.model ?? "", "keep", { name: field.value.trim() });
      const link = document.createElement("a");
      link.href = `/models/${encodeURIComponent(name)}`;
      link.textContent = name;
      kept.replaceChildren("Kept as ", link, ".");
      this.#write(".edit-refusal", "");
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      kept.replaceChildren();
      this.#write(".edit-refusal", error.message);
    }
  }

  /**
   * What the model says now, beside what the one says that was edited.
   * @param {Prediction | null} prediction
   * @param {Sent} [sent] the picture
   */
  compare(prediction, sent) {
    if (prediction && sent && this.now?.edits.length) this.#comparing.push({ prediction, sent });
    else this.#showChanges(null, null);
  }

  /**
   * @param {Prediction} prediction
   * @param {Sent} sent
   * @param {AbortSignal} signal
   */
  async #compare(prediction, sent, signal) {
    const base = this.now?.base ?? "";
    const response = await request(`/api/v1/predict?model=${encodeURIComponent(base)}`, { method: "POST", ...sent, signal })
      .catch(() => null);
    const before = await response?.json();
    if (before && prediction.model === this.now?.model && this.now.edits.length) this.#showChanges(before, prediction);
  }

  /**
   * @param {Prediction | null} before
   * @param {Prediction | null} after
   */
  #showChanges(before, after) {
    const old = new Map(before?.probabilities.map(({ label, probability }) => [label, probability]));
    const changes = (after?.probabilities ?? [])
      .map(({ label, probability }) => ({ label, from: old.get(label) ?? 0, to: probability }))
      .sort((one, other) => Math.abs(other.to - other.from) - Math.abs(one.to - one.from));
    this.querySelector(".edit-changes")?.replaceChildren(...changes.slice(0, CHANGES).map(({ label, from, to }) => {
      const line = document.createElement("li");
      line.textContent = `${label}: ${percent(from)} → ${percent(to)} %`;
      return line;
    }));
    this.querySelector(".edit-compared")?.toggleAttribute("hidden", !before);
    this.dispatchEvent(new CustomEvent("compared", { bubbles: true, detail: before }));
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

/**
 * Whether a list of edits begins with another.
 * @param {Edit[]} edits
 * @param {Edit[]} first
 */
const starts = (edits, first) => first.every((edit, place) => JSON.stringify(edit) === JSON.stringify(edits[place]));

/**
 * @param {string} model
 * @param {string} what
 * @param {object} body
 */
async function send(model, what, body) {
  const headers = { "Content-Type": "application/json" };
  const url = `/api/v1/models/${encodeURIComponent(model)}/${what}`;
  return (await request(url, { method: "POST", headers, body: JSON.stringify(body) })).json();
}

customElements.define("model-editor", ModelEditor);
