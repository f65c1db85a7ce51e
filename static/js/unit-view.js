// The unit that is looked at: its card, kept up to date while one draws, walks or plays, and the
// way back to where one came from.

import "./unit-card.js";
import { ARROWS } from "./drawing-pad.js";
import { channelOf } from "./looking.js";
import { Newest } from "./newest.js";
import { readNpy } from "./npy.js";
import { Refusal, request } from "./request.js";
import { carried, following, isUnit, neighbour } from "./walking.js";

/** @typedef {import("./walking.js").Unit} Unit */
/** @typedef {import("./walking.js").Place} Place */
/** @typedef {import("./map-inspector.js").Layer} Layer */
/** @typedef {import("./address.js").View} View */
/** @typedef {import("./safetensors.js").Tensor} Tensor */
/**
 * @typedef {object} Around what the view needs of the page
 * @property {(place: Place, step: boolean) => void} go look at another unit; `step`: "back" undoes it
 * @property {() => string | null} image the id of the drawing, if the server has just this one
 * @property {() => void} trace ask for a trace, which brings the unit along
 * @property {(unit: Unit | null) => void} changed another number is looked at
 * @property {(strengths: Tensor | null) => void} shade show where its gradient is
 * @property {(message: string) => void} say
 */

// With the button for the rest they fill what there is room for without scrolling.
const few = () => (innerWidth >= 1600 ? 11 : 5);
const MORE = 24;

export class UnitView {
  /** @type {Unit | null} */
  record = null;
  /** @type {Place | null} */
  place = null;
  /** @type {Place[]} the units that one came from */
  #trail = [];
  #terms = few();
  #focus = false;
  /** @type {Map<string, Tensor> | null} */
  #tensors = null;
  #image = "";
  #model = "";

  /**
   * @param {import("./unit-card.js").UnitCard} card
   * @param {Layer[]} layers the input's first
   * @param {Around} around
   */
  constructor(card, layers, around) {
    this.card = card;
    this.layers = layers;
    this.around = around;
    this.#queue = new Newest(async (_, signal) => this.#fetch(signal));
    this.#on("go", ({ place }) => this.enter(place));
    this.#on("back", () => this.back());
    this.#on("more", () => this.#showMore());
    this.#on("step", () => this.place && around.go(following(this.#shape(this.place), this.place), false));
    this.#on("pause", () => around.changed(this.record));
    this.#on("gradient", () => this.kept());
  }

  #queue;
  #gradients = new Newest(async (_, signal) => this.#shade(signal));

  /**
   * @param {string} name
   * @param {(detail: any) => void} act
   */
  #on(name, act) {
    this.card.addEventListener(`unit:${name}`, (event) => act(/** @type {CustomEvent} */ (event).detail));
  }

  /** @param {{layer: string}} place */
  #layer(place) {
    return this.layers.find((one) => one.name === place.layer);
  }

  /** @param {{layer: string}} place */
  #shape(place) {
    return this.#layer(place)?.output_shape ?? [];
  }

  /**
   * The unit that an address names; null where it names none that there is.
   * @param {View} view
   * @returns {Place | null}
   */
  placeOf({ layer, channel, y, x }) {
    if (layer === null || channel === null || y === null || x === null) return null;
    const place = { layer, channel, y, x };
    return this.#layer(place) && isUnit(this.#shape(place), place) ? place : null;
  }

  /** How many terms there is room for; of a linear layer, their sum as a picture takes one's. */
  get #count() {
    return this.#terms - Number(!!this.place && this.#layer(this.place)?.kind === "linear");
  }

  /** What to add to a trace's address, so that it brings the unit along. */
  get query() {
    if (!this.place || this.place.layer === "input") return "";
    const { layer, channel, y, x } = this.place;
    return `&unit=${encodeURIComponent(`${layer}/${channel}/${y}/${x}`)}&terms=${this.#count}`;
  }

  /**
   * Look at what the address names.
   * @param {View} view
   */
  select(view) {
    const place = this.placeOf(view);
    const same = place && this.place && sameUnit(place, this.place) && this.#model === view.model;
    this.#model = view.model;
    this.place = place;
    if (!place) this.close();
    else if (!same) this.#ask();
  }

  close() {
    this.#trail = [];
    this.#terms = few();
    this.#queue.drop();
    this.#tell(null);
  }

  #ask() {
    if (this.place?.layer === "input") return this.#tell(this.#pixel());
    const image = this.around.image();
    if (image === null) return this.around.trace();
    this.#image = image;
    this.#queue.push(true);
  }

  /** @param {AbortSignal} signal */
  async #fetch(signal) {
    const place = this.place;
    if (!place) return;
    try {
      const response = await request(`${this.#path(place)}?image=${this.#image}&count=${this.#count}`, { signal });
      const unit = await response.json();
      if (this.place && sameUnit(place, this.place)) this.#tell(unit);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Refusal)) throw error;
      this.around.say(error.message);
    }
  }

  /** The server has the drawing, so that it can be asked where the number's gradient is. */
  kept() {
    const wanted = this.card.gradient && this.place && this.place.layer !== "input";
    if (wanted && this.around.image() !== null) this.#gradients.push(true);
    else this.around.shade(null);
  }

  /** @param {AbortSignal} signal */
  async #shade(signal) {
    const [place, image] = [this.place, this.around.image()];
    if (!place || image === null) return;
    try {
      const response = await request(`${this.#path(place)}/effective_field.npy?image=${image}`, { signal });
      const strengths = readNpy(await response.arrayBuffer());
      const same = this.place && sameUnit(place, this.place) && this.around.image() === image;
      if (same && this.card.gradient) this.around.shade(strengths);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.around.say(error.message);
    }
  }

  /** @param {Place} place */
  #path({ layer, channel, y, x }) {
    return `/api/v1/models/${[this.#model, "layers", layer, "units", channel, y, x].map(encodeURIComponent).join("/")}`;
  }

  /**
   * What came of the newest drawing.
   * @param {Map<string, Tensor> | null} tensors
   * @param {Unit | null} unit what the trace said of the unit that was looked at then
   */
  show(tensors, unit) {
    this.#tensors = tensors;
    const place = this.place;
    if (!place || !tensors) return this.#tell(null);
    if (place.layer === "input") return this.#tell(this.#pixel());
    if (unit && sameUnit(placeFrom(unit), place)) this.#tell(unit);
  }

  /**
   * A pixel of the picture, of which no layer says how it came about.
   * @returns {Unit | null}
   */
  #pixel() {
    const place = /** @type {Place} */ (this.place);
    const tensor = this.#tensors?.get("input");
    if (!tensor) return null;
    const { channel, y, x } = place;
    const [, height, width] = tensor.shape;
    const value = tensor.data[(channel * height + y) * width + x];
    const none = { top: 0, left: 0, bottom: 0, right: 0 };
    return {
      layer: "input", kind: "input", index: [channel, y, x], value, computed: value, difference: 0,
      own_precision: { dtype: "float32", computed: value, difference: 0 }, agrees: true, formula: "x",
      reads: [], window: null, terms: [], offset: 0, count: 0, total: 0, rest: { count: 0, subtotal: 0 },
      bias: null, sum: null, details: {}, next: [],
      receptive_field: { top: y, left: x, height: 1, width: 1, padded: none },
    };
  }

  /** @param {Unit | null} unit */
  #tell(unit) {
    this.record = unit;
    const reads = unit?.reads.map((name) => this.layers.find((layer) => layer.name === name)?.signed);
    const shape = unit ? this.#shape(placeFrom(unit)) : [];
    this.card.show(unit, shape, reads?.some(Boolean) ?? true, this.#trail.length > 0, this.#pairs(unit));
    this.around.changed(unit);
    this.kept();
    if (unit && this.#focus) this.card.focus({ preventScroll: true });
    if (unit) this.#focus = false;
  }

  /**
   * What a function of one number made of the map that it read.
   * @param {Unit | null} unit
   */
  #pairs(unit) {
    const term = unit?.terms[0];
    const [own, read] = [unit && this.#tensors?.get(unit.layer), term && this.#tensors?.get(term.source)];
    if (!unit || !term || !own || !read || unit.total > 1 || unit.window || own.shape.length < 3) return null;
    if (own.shape.length !== read.shape.length) return null;
    const [outputs, inputs] = [channelOf(own, unit.index[0]), channelOf(read, term.channel)];
    if (!inputs || inputs.length !== outputs?.length) return null;
    return { inputs, outputs, source: term.source, layer: unit.layer };
  }

  #showMore() {
    this.#terms += MORE;
    this.#ask();
  }

  /**
   * Go into a unit, from which "back" leads here again.
   * @param {Place} place
   */
  enter(place) {
    if (this.place) this.#trail.push(this.place);
    this.#terms = few();
    this.card.play(false);
    this.around.go(place, true);
  }

  /** Begin at a unit, with the keys on its card. */
  begin(/** @type {Place} */ place) {
    this.#focus = true;
    this.around.go(place, true);
  }

  back() {
    const place = this.#trail.pop();
    this.card.play(false);
    if (place) this.around.go(place, true);
  }

  /**
   * Walk from the unit that is looked at.
   * @param {string} key
   * @returns {boolean} whether there is one
   */
  walk(key) {
    if (!this.place) return false;
    const [dx, dy] = ARROWS.get(key) ?? [0, 0];
    if (key === "Enter") this.card.enter();
    else if (key === "Backspace") this.back();
    else this.move(dx, dy);
    return true;
  }

  /**
   * To the neighbouring pixel.
   * @param {number} dx
   * @param {number} dy
   */
  move(dx, dy) {
    const next = this.place && neighbour(this.#shape(this.place), this.place, dx, dy);
    if (next) this.around.go(next, false);
  }

  /**
   * To a neighbouring channel or layer, at the same place of the picture.
   * @param {number} channels
   * @param {number} layers
   */
  step(channels, layers) {
    const place = this.place;
    if (!place) return;
    const at = this.layers.findIndex((one) => one.name === place.layer);
    const layer = this.layers[Math.min(this.layers.length - 1, Math.max(0, at + layers))];
    const next = carried(this.#shape(place), layer.output_shape, place, layer.name);
    const count = layer.output_shape[0];
    this.around.go({ ...next, channel: (next.channel + channels + count) % count }, true);
  }
}

/**
 * @param {Unit} unit
 * @returns {Place}
 */
const placeFrom = ({ layer, index: [channel, y, x] }) => ({ layer, channel, y, x });

/**
 * @param {Place} one
 * @param {Place} other
 */
const sameUnit = (one, other) =>
  one.layer === other.layer && one.channel === other.channel && one.y === other.y && one.x === other.x;
