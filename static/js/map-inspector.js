// The card below the network: one map enlarged, with the filter that made it, or a whole layer.

import { allFilters, filtersInWords, oneFilter, part } from "./filters.js";
import { grid } from "./layer-column.js";
import { channelOf } from "./looking.js";
import { format, spanOf } from "./scales.js";
import { placeInWords } from "./unit-words.js";
import { windowBox } from "./walking.js";

/** @typedef {import("./safetensors.js").Tensor} Tensor */
/**
 * @typedef {object} Layer as GET /api/v1/models/{model} describes it
 * @property {string} name
 * @property {string} kind
 * @property {string} summary
 * @property {number[]} output_shape
 * @property {number} parameters
 * @property {number[] | null} weight_shape
 * @property {string[]} reads
 * @property {boolean} signed
 * @property {boolean} channelwise
 */
/** @typedef {import("./number-grid.js").NumberGrid} NumberGrid */

// Rows of weights that are longer are folded, into no more than so many side by side.
const LONG = 2048;
const WIDEST = 160;

export class MapInspector extends HTMLElement {
  connectedCallback() {
    this.map = /** @type {NumberGrid} */ (this.querySelector("number-grid.map"));
    this.source = /** @type {NumberGrid} */ (this.querySelector("number-grid.source"));
    this.map.addEventListener("choose", (event) => this.#choose(event));
    this.source.addEventListener("choose", (event) => this.#choose(event));
  }

  /**
   * @param {object} seen
   * @param {Layer} seen.layer
   * @param {number | null} seen.channel null for the whole layer
   * @param {Map<string, Tensor> | null} seen.tensors the newest trace, null before the first
   * @param {Tensor | null} seen.weights the layer's filters, or the first or the channel's own;
   *   null where it has none
   * @param {"map" | "layer"} seen.scale
   * @param {import("./walking.js").Place | null} seen.place the unit whose card is open
   * @param {import("./walking.js").Unit | null} seen.unit what is known of it
   * @param {boolean} seen.playing
   */
  show({ layer, channel, tensors, weights, scale, place, unit, playing }) {
    this.layer = layer;
    this.channel = channel;
    this.place = place;
    this.toggleAttribute("data-unit", !!place);
    this.dataset.kind = layer.kind;
    const shape = grid(layer.output_shape);
    const activations = tensors?.get(layer.name) ?? null;
    this.held = activations?.picked?.channels ?? null;
    this.#title(layer, channel, shape.count, place);
    this.#facts(layer, channel, activations, shape);
    const maps = activations && this.#maps(layer, channel, activations, scale);
    this.map?.show(maps && place ? { ...maps, ...markOf(layer, place, playing) } : maps);
    this.source?.show(
      place ? this.#window(unit, tensors, playing) : this.#sources(layer, channel, tensors, weights, scale),
    );
    this.querySelector(".waiting")?.toggleAttribute("hidden", !!tensors);
  }

  /**
   * @param {Layer} layer
   * @param {number | null} channel
   * @param {Tensor} activations
   * @param {"map" | "layer"} scale
   */
  #maps(layer, channel, activations, scale) {
    const { count, height, width } = grid(layer.output_shape);
    const one = channel !== null && count > 1;
    const data = one ? channelOf(activations, channel) : activations.data;
    if (!data) return null;
    const { picked } = activations;
    const spatial = layer.output_shape.length === 3;
    const where = (/** @type {number} */ tile, /** @type {number} */ y, /** @type {number} */ x) =>
      spatial ? `channel ${one ? channel : (this.held?.[tile] ?? tile)} · y ${y} · x ${x}` : `unit ${y * width + x}`;
    return {
      data, count: one ? 1 : (this.held?.length ?? count), height, width, across: 0, signed: layer.signed,
      group: scale === "map" ? 1 : count, where, length: data.length,
      span: picked && !one ? spanOf([picked.smallest, picked.largest], layer.signed) : undefined,
    };
  }

  /**
   * The map that a unit reads most of, with the window that it sees of it. While the window moves,
   * the map stays the same.
   * @param {import("./walking.js").Unit | null} unit
   * @param {Map<string, Tensor> | null} tensors
   * @param {boolean} playing
   */
  #window(unit, tensors, playing) {
    if (!playing) this.read = unit?.terms[0];
    const tensor = this.read && tensors?.get(this.read.source);
    const data = this.read && tensor?.shape.length === 3 ? channelOf(tensor, this.read.channel) : null;
    if (!unit || !this.read || !tensor || !data) {
      this.#caption("");
      return null;
    }
    const { source, channel } = this.read;
    const [, height, width] = tensor.shape;
    this.#caption(`window in ${source} · ${channel}`);
    return {
      data, count: 1, height, width, across: 0, signed: data.some((/** @type {number} */ value) => value < 0),
      group: 1, marked: windowBox(unit),
      where: (/** @type {number} */ _, /** @type {number} */ y, /** @type {number} */ x) =>
        `${source} · channel ${channel} · y ${y} · x ${x}`,
    };
  }

  /**
   * The filter, or the map that is read where there is no filter.
   * @param {Layer} layer
   * @param {number | null} channel
   * @param {Map<string, Tensor> | null} tensors
   * @param {Tensor | null} weights
   * @param {"map" | "layer"} scale
   */
  #sources(layer, channel, tensors, weights, scale) {
    const filters = layer.weight_shape?.[0] ?? 0;
    if (weights && weights.shape.length >= 3) return this.#filters(channel, weights, filters, scale);
    if (weights?.shape.length === 2) return this.#rows(weights, filters);
    const before = tensors?.get(layer.reads[0]);
    const data = before && channel !== null && layer.channelwise ? channelOf(before, channel) : null;
    if (!before || !data) {
      this.#caption("");
      return null;
    }
    const [, height, width] = before.shape;
    this.#caption(`reads ${layer.reads[0]}, channel ${channel}`);
    return {
      data, count: 1, height, width, across: 0, signed: true, group: 1,
      where: (/** @type {number} */ _, /** @type {number} */ y, /** @type {number} */ x) =>
        `${layer.reads[0]} · y ${y} · x ${x}`,
    };
  }

  /**
   * @param {number | null} channel
   * @param {Tensor} weights (filters, kernels, height, width), or the channel's alone (kernels,
   *   height, width)
   * @param {number} of how many filters there are
   * @param {"map" | "layer"} scale
   */
  #filters(channel, weights, of, scale) {
    if (channel === null) {
      this.#caption(filtersInWords(weights, of));
      return allFilters(weights, scale);
    }
    const [kernels, height, width] = weights.shape.slice(-3);
    this.#caption(`its filter: ${kernels === 1 ? "one kernel" : `${kernels} kernels`} of ${height} × ${width}`);
    return oneFilter(weights, channel);
  }

  /**
   * The weights of a linear layer, a row per output; long ones are folded, as no screen is so wide.
   * @param {Tensor} weights
   * @param {number} of how many rows there are
   */
  #rows({ shape: [outputs, inputs], data }, of) {
    this.#caption(`its weights: ${part(outputs, of, "rows")} of ${inputs}`);
    const width = foldOf(inputs);
    return {
      data, count: outputs, height: inputs / width, width, across: width < inputs ? 0 : 1,
      signed: true, group: outputs,
      where: (/** @type {number} */ tile, /** @type {number} */ y, /** @type {number} */ x) =>
        `output ${tile} · input ${y * width + x}`,
    };
  }

  /** @param {string} text */
  #caption(text) {
    const caption = this.querySelector(".source-caption");
    if (caption) caption.textContent = text;
    this.querySelector(".inspector-source")?.toggleAttribute("hidden", !text);
  }

  /**
   * @param {Layer} layer
   * @param {number | null} channel
   * @param {number} count
   * @param {import("./walking.js").Place | null} place
   */
  #title(layer, channel, count, place) {
    const one = channel !== null && count > 1;
    const title = this.querySelector("h2");
    const name = one ? `${layer.name} · channel ${channel}` : layer.name;
    if (title) title.textContent = place ? placeInWords(place, layer.output_shape) : name;
    this.querySelectorAll("[data-step]").forEach((button) => button.toggleAttribute("hidden", !one));
    this.querySelector(".whole")?.toggleAttribute("hidden", !one);
  }

  /**
   * @param {Layer} layer
   * @param {number | null} channel
   * @param {Tensor | null} activations
   * @param {{count: number, height: number, width: number}} shape
   */
  #facts(layer, channel, activations, { count, height, width }) {
    const words = this.querySelector(".facts");
    if (!words) return;
    const one = channel !== null && count > 1;
    const data = activations && (one ? channelOf(activations, channel) : activations.data);
    const what = one ? `${height} × ${width}` : layer.output_shape.join(" × ");
    const numbers = (!one && activations?.picked) || (data && measure(data));
    words.replaceChildren(...facts(layer, what, numbers, one ? null : (this.held ?? null)));
  }

  /** @param {Event} event */
  #choose(event) {
    const { tile: place, y, x } = /** @type {CustomEvent} */ (event).detail;
    if (!this.layer) return;
    const { name, output_shape: shape } = this.layer;
    if (event.target !== this.map) {
      if (this.place && this.read) this.#select({ layer: this.read.source, channel: this.read.channel, y, x });
      return;
    }
    const width = grid(shape).width;
    if (shape.length < 3) this.#select({ layer: name, channel: y * width + x, y: 0, x: 0 });
    else if (this.channel !== null || shape[0] === 1) this.#select({ layer: name, channel: this.channel ?? 0, y, x });
    else this.#select({ layer: name, channel: this.held?.[place] ?? place, y: null, x: null });
  }

  /** @param {{layer: string, channel: number, y: number | null, x: number | null}} detail */
  #select(detail) {
    this.dispatchEvent(new CustomEvent("select", { bubbles: true, detail }));
  }
}

/**
 * Where a unit lies in its layer's map, and how much of the map is there while it is filled in.
 * @param {Layer} layer
 * @param {import("./walking.js").Place} place
 * @param {boolean} playing
 */
function markOf({ output_shape: shape }, { channel, y, x }, playing) {
  const { width } = grid(shape);
  const [row, column] = shape.length === 3 ? [y, x] : [Math.floor(channel / width), channel % width];
  const filled = playing ? row * width + column + 1 : undefined;
  return { marked: { y: row, x: column, height: 1, width: 1 }, filled, steered: true };
}

/**
 * How many numbers of a row stand side by side: all, or of a long row a divisor of their count.
 * @param {number} length
 */
function foldOf(length) {
  if (length <= LONG) return length;
  for (let width = WIDEST; width >= WIDEST / 4; width--) if (length % width === 0) return width;
  return length;
}

/**
 * @param {Float32Array | Uint8Array} data
 */
function measure(data) {
  let [smallest, largest, sum, silent] = [Infinity, -Infinity, 0, 0];
  for (const value of data) {
    smallest = Math.min(smallest, value);
    largest = Math.max(largest, value);
    sum += value;
    silent += Number(value === 0);
  }
  return { smallest, largest, mean: sum / data.length, zeros: silent / data.length };
}

/**
 * @param {Layer} layer
 * @param {string} what
 * @param {{smallest: number, largest: number, mean: number, zeros: number} | null} numbers
 * @param {number[] | null} held the channels that are shown, where they are not all
 */
function facts(layer, what, numbers, held) {
  /** @type {[string, string][]} */
  const pairs = [[layer.kind.replaceAll("_", " "), layer.summary], ["shape", what]];
  if (held && held.length < layer.output_shape[0]) {
    pairs.push(["shown", `${held.length} of ${layer.output_shape[0]}, the strongest`]);
  }
  if (numbers) {
    const { smallest, largest, mean, zeros } = numbers;
    pairs.push(["smallest", format(smallest)], ["largest", format(largest)], ["mean", format(mean)]);
    if (!layer.signed) pairs.push(["zeros", `${(100 * zeros).toFixed(0)} %`]);
  }
  return pairs.flatMap(([name, value]) => [cell("dt", name), cell("dd", value)]);
}

/**
 * @param {string} tag
 * @param {string} text
 */
function cell(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

customElements.define("map-inspector", MapInspector);
