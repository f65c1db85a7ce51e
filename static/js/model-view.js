// The columns, the answer and the inspector of one model.

import { baseOf } from "./address.js";
import { mostFilters, wordsFor } from "./looking.js";
import { readNpy } from "./npy.js";
import { Refusal, request } from "./request.js";
import { UnitView } from "./unit-view.js";

/** @typedef {import("./safetensors.js").Tensor} Tensor */
/** @typedef {import("./map-inspector.js").Layer} Layer */
/** @typedef {import("./address.js").View} View */
/** @typedef {import("./probability-bars.js").Prediction} Prediction */
/** @typedef {import("./walking.js").Unit} Unit */
/**
 * @typedef {object} Page
 * @property {() => string | null} image the id of the drawing, if the server has just this one
 * @property {(unit: Unit | null) => void} field show what a unit sees of the drawing
 * @property {(strengths: Tensor | null) => void} shade show where its gradient is
 * @property {(text: string) => void} say
 */
/**
 * @callback Select look at a layer, at a channel of it, at a unit
 * @param {string | null} layer
 * @param {number | null} channel
 * @param {number | null} [y]
 * @param {number | null} [x]
 * @param {boolean} [step] whether "back" undoes it
 */

/** @type {Layer} */
const INPUT = {
  name: "input", kind: "input", summary: "the picture as the network sees it",
  output_shape: [], parameters: 0, weight_shape: null, reads: [], signed: false, channelwise: false,
};

// Of filters that are kept to be shown again; the largest take a megabyte each.
const KEPT = 8;

export class ModelView {
  /** @type {Map<string, Tensor> | null} */
  #tensors = null;
  /** @type {Prediction | null} */
  #prediction = null;
  /** @type {Map<string, Promise<Tensor>>} */
  #weights = new Map();
  /** @type {Set<string>} what of a large network was asked for last */
  #asked = new Set();

  /**
   * @param {HTMLElement} element the server's markup of the model
   * @param {Select} select
   * @param {(scale: "map" | "layer") => void} setScale
   * @param {() => void} look called when something is looked at that wasn't asked for
   * @param {Page} page
   */
  constructor(element, select, setScale, look, page) {
    this.element = element;
    const card = JSON.parse(element.querySelector("script")?.textContent ?? "{}");
    this.name = card.name;
    /** @type {Layer[]} */
    const signed = card.preprocessing.mean.some((/** @type {number} */ mean) => mean > 0);
    this.layers = [{ ...INPUT, output_shape: card.input_shape, signed }, ...card.layers];
    document.documentElement.dataset.method = card.preprocessing.method;
    this.network = /** @type {import("./layer-columns.js").LayerColumns} */ (
      element.querySelector("layer-columns")
    );
    this.bars = /** @type {import("./probability-bars.js").ProbabilityBars} */ (
      element.querySelector("probability-bars")
    );
    this.inspector = /** @type {import("./map-inspector.js").MapInspector} */ (
      element.querySelector("map-inspector")
    );
    /** Only a snapshot has one. */
    this.machine = /** @type {import("./time-machine.js").TimeMachine | null} */ (
      element.querySelector("time-machine")
    );
    this.editor = /** @type {import("./model-editor.js").ModelEditor} */ (element.querySelector("model-editor"));
    this.choose = select;
    this.look = look;
    this.units = new UnitView(
      /** @type {import("./unit-card.js").UnitCard} */ (element.querySelector("unit-card")), this.layers,
      {
        go: ({ layer, channel, y, x }, step) => select(layer, channel, y, x, step),
        image: page.image, trace: look, say: page.say, shade: page.shade,
        changed: (unit) => {
          page.field(unit);
          if (this.#view) void this.#inspect(this.#view);
        },
      },
    );
    this.#listen(setScale);
  }

  /**
   * What to add to a trace's address, so that it has all that is looked at and, of a large network,
   * no more.
   * @param {View} view
   */
  query(view) {
    const top = this.bars.ranked ? `&top=${this.bars.ranked}` : "";
    if (!this.network.large) return top + this.units.query;
    this.#asked = new Set(this.#words(view));
    return `${top}${this.units.query}&layers=${encodeURIComponent([...this.#asked].join() || "softmax")}`;
  }

  /** @param {View} view */
  #words(view) {
    const words = wordsFor(this.network.seen.map((column) => column.look), this.#opened(view));
    const read = this.units.record?.terms[0];
    const map = this.layers.find((layer) => layer.name === read?.source)?.output_shape.length === 3;
    return read && map && read.source !== "input" ? [...words, `${read.source}@${read.channel}`] : words;
  }

  /** @param {View} view */
  #missing(view) {
    if (!this.network.large || !this.#tensors) return false;
    return this.#words(view).some((word) => !this.#asked.has(word));
  }

  /**
   * What the inspector shows.
   * @param {View} view
   */
  #opened(view) {
    const layer = this.layers.find((one) => one.name === view.layer);
    if (!layer || (layer.kind === "softmax" && !this.units.placeOf(view))) return null;
    const count = layer.output_shape.length === 3 ? layer.output_shape[0] : 1;
    const channel = view.channel !== null && view.channel < count ? view.channel : null;
    return { layer, channel };
  }

  /** @param {(scale: "map" | "layer") => void} setScale */
  #listen(setScale) {
    this.network.addEventListener("look", () => this.#view && this.#supplement(this.#view));
    this.network.addEventListener("click", (event) => this.#click(event));
    this.network.addEventListener("pointerover", (event) => this.#hover(event));
    this.network.addEventListener("focusin", (event) => this.#hover(event));
    this.network.addEventListener("pointerleave", () => this.#light(null, 0));
    for (const radio of this.#radios()) {
      radio.addEventListener("change", () => setScale(radio.value === "layer" ? "layer" : "map"));
    }
    this.inspector.addEventListener("select", (event) => {
      const { layer, channel, y, x } = /** @type {CustomEvent} */ (event).detail;
      if (y === null || !this.units.place) this.choose(layer, channel, y, x);
      else this.units.enter({ layer, channel, y, x });
    });
    this.bars.addEventListener("choose", (event) => {
      const { place: channel } = /** @type {CustomEvent} */ (event).detail;
      const softmax = this.layers[this.layers.length - 1].name;
      this.units.begin({ layer: softmax, channel, y: 0, x: 0 });
    });
    this.editor.addEventListener("compared", (event) => this.bars.mark(/** @type {CustomEvent} */ (event).detail));
    this.inspector.addEventListener("click", (event) => this.#clickInspector(event));
  }

  /** What a model is called that has no line in the list of models: an edited one, a snapshot. */
  get title() {
    return this.editor.caption || (this.machine?.title ?? "");
  }

  /** @param {boolean} busy whether an answer is long in coming */
  set busy(busy) {
    const network = this.element.querySelector(".network");
    if (busy) network?.setAttribute("aria-busy", "true");
    else network?.removeAttribute("aria-busy");
  }

  #radios() {
    return /** @type {NodeListOf<HTMLInputElement>} */ (
      this.element.querySelectorAll("input[name=scale]")
    );
  }

  /**
   * @param {Map<string, Tensor> | null} tensors null empties the columns
   * @param {Prediction | null} prediction
   * @param {View} view
   * @param {Unit | null} [unit] how the number that is looked at came about
   */
  show(tensors, prediction, view, unit = null) {
    this.#tensors = tensors;
    this.#prediction = prediction;
    this.units.show(tensors, unit);
    if (!prediction) this.editor.compare(null);
    this.repaint(view);
    this.#supplement(view);
  }

  /**
   * Ask for what is looked at and isn't there, if anything is there at all.
   * @param {View} view
   */
  #supplement(view) {
    this.#view = view;
    if (this.#missing(view)) this.look();
  }

  /** @type {View | null} the newest */
  #view = null;

  /** @param {View} view */
  repaint(view) {
    this.network.show(this.#tensors, view.scale);
    this.bars.show(this.#prediction);
    for (const radio of this.#radios()) radio.checked = radio.value === view.scale;
    void this.#inspect(view);
  }

  /**
   * Become another snapshot of the same run, or the model with other edits: all but the numbers
   * stays.
   * @param {string} name
   * @param {View} view
   */
  become(name, view) {
    this.name = name;
    this.machine?.show(baseOf(name));
    void this.editor.become(name);
    this.select(view);
  }

  /**
   * Show the filters of the layer that is looked at, or else of the first that has any.
   * @param {View} view
   */
  async #showFilters(view) {
    const { machine, name } = this;
    const filtered = this.layers.filter(({ weight_shape: shape }) => shape?.length === 4);
    const layer = filtered.find((one) => one.name === view.layer) ?? filtered[0];
    if (!machine || !layer) return;
    const weights = await this.#weightsOf(layer, null);
    if (weights && name === this.name) machine.showFilters(layer, weights);
  }

  /** @param {View} view */
  select(view) {
    void this.#showFilters(view);
    for (const column of this.network.columns) {
      const chosen = column.dataset.name === view.layer;
      column.toggleAttribute("data-chosen", chosen);
      column.mark(chosen ? (view.channel ?? -1) : null);
    }
    if (view.layer) this.network.reveal(view.layer);
    this.units.select(view);
    void this.#inspect(view);
    this.#supplement(view);
  }

  /** How often something was inspected: filters that come late aren't shown. */
  #turn = 0;

  /** @param {View} view */
  async #inspect(view) {
    const opened = this.#opened(view);
    this.inspector.hidden = !opened;
    const turn = ++this.#turn;
    if (!opened) return;
    const weights = await this.#weightsOf(opened.layer, opened.channel);
    if (turn !== this.#turn) return;
    this.editor.show(opened.layer, opened.channel);
    const { place, record, card } = this.units;
    this.inspector.show({
      ...opened, tensors: this.#tensors, scale: view.scale, weights, place, unit: record, playing: card.playing,
    });
  }

  /**
   * A layer's filters, or of many the first ones; with a channel, the filter of that one.
   * @param {Layer} layer
   * @param {number | null} channel
   * @returns {Promise<Tensor | null>}
   */
  async #weightsOf({ name, weight_shape: shape }, channel) {
    if (!shape) return null;
    const most = mostFilters(shape);
    const one = channel !== null && shape.length === 4;
    const part = most >= shape[0] ? "" : one ? `?channel=${channel}` : `?first=${most}`;
    const url = `/api/v1/models/${encodeURIComponent(this.name)}/layers/${encodeURIComponent(name)}/filters.npy${part}`;
    const known = this.#weights.get(url) ?? request(url).then(async (r) => readNpy(await r.arrayBuffer()));
    this.#weights.set(url, known);
    if (this.#weights.size > KEPT) this.#weights.delete([...this.#weights.keys()][0]);
    try {
      return await known;
    } catch (error) {
      this.#weights.delete(url);
      if (error instanceof Refusal) return null;
      throw error;
    }
  }

  /**
   * Go to a neighbouring channel or layer.
   * @param {View} view
   * @param {number} channels
   * @param {number} layers
   */
  step(view, channels, layers) {
    if (this.units.place) return this.units.step(channels, layers);
    const place = this.layers.findIndex((layer) => layer.name === view.layer);
    if (place < 0) return;
    const shown = this.layers.filter((layer) => layer.kind !== "softmax");
    const layer = shown[Math.min(shown.length - 1, Math.max(0, place + layers))];
    const count = layer.output_shape.length === 3 ? layer.output_shape[0] : 1;
    const channel = view.channel === null ? null : (view.channel + channels + count) % count;
    this.choose(layer.name, channel);
  }

  /** @param {Event} event */
  #click(event) {
    const button = /** @type {Element} */ (event.target).closest("button");
    const column = button?.closest("layer-column");
    if (!button || !(column instanceof HTMLElement)) return;
    const channel = button.getAttribute("data-channel");
    const one = channel !== null && column.dataset.shape?.split(",").length === 3;
    this.choose(column.dataset.name ?? null, one ? Number(channel) : null);
  }

  /** @param {Event} event */
  #clickInspector(event) {
    const button = /** @type {Element} */ (event.target).closest("button");
    if (!button) return;
    const { layer, channel } = this.inspector;
    if (button.matches(".close")) this.choose(null, null);
    if (button.matches(".whole")) this.choose(layer?.name ?? null, null);
    if (button.dataset.step && this.units.place) this.units.step(Number(button.dataset.step), 0);
    else if (button.dataset.step && layer && channel !== null && channel !== undefined) {
      const count = layer.output_shape[0];
      this.choose(layer.name, (channel + Number(button.dataset.step) + count) % count);
    }
  }

  /** @param {Event} event */
  #hover(event) {
    const button = /** @type {Element} */ (event.target).closest("[data-channel]");
    const column = button?.closest("layer-column");
    const layer = this.layers.find(
      (one) => column instanceof HTMLElement && one.name === column.dataset.name,
    );
    this.#light(layer ?? null, Number(button?.getAttribute("data-channel")));
  }

  /**
   * Light the maps that a map reads, and those that read it.
   * @param {Layer | null} layer
   * @param {number} channel
   */
  #light(layer, channel) {
    for (const column of this.network.columns) {
      const other = this.layers.find((one) => one.name === column.dataset.name);
      const read = layer && other && layer.reads.includes(other.name) ? layer : null;
      const reader = layer && other?.reads.includes(layer.name) ? other : null;
      const link = read ?? reader;
      const single = link?.channelwise;
      column.light(link ? (one) => !single || one === channel : null);
    }
  }
}
