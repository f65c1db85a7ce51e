// The card below the network: one map enlarged, with the filter that made it, or a whole layer.

import { grid } from "./layer-column.js";
import { format } from "./scales.js";

/** @typedef {import("./safetensors.js").Tensor} Tensor */
/**
 * @typedef {object} Layer as GET /api/v1/models/{model} describes it
 * @property {string} name
 * @property {string} kind
 * @property {string} summary
 * @property {number[]} output_shape
 * @property {number[] | null} weight_shape
 * @property {string[]} reads
 * @property {boolean} signed
 * @property {boolean} channelwise
 */
/** @typedef {import("./number-grid.js").NumberGrid} NumberGrid */

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
   * @param {Tensor | null} seen.weights the layer's filters, null where it has none
   * @param {"map" | "layer"} seen.scale
   */
  show({ layer, channel, tensors, weights, scale }) {
    this.layer = layer;
    this.channel = channel;
    const shape = grid(layer.output_shape);
    const activations = tensors?.get(layer.name) ?? null;
    this.#title(layer, channel, shape.count);
    this.#facts(layer, channel, activations, shape);
    this.map?.show(activations && this.#maps(layer, channel, activations, scale));
    this.source?.show(this.#sources(layer, channel, tensors, weights, scale));
    this.querySelector(".waiting")?.toggleAttribute("hidden", !!activations);
  }

  /**
   * @param {Layer} layer
   * @param {number | null} channel
   * @param {Tensor} activations
   * @param {"map" | "layer"} scale
   */
  #maps(layer, channel, activations, scale) {
    const { count, height, width } = grid(layer.output_shape);
    const size = height * width;
    const one = channel !== null && count > 1;
    const data = one ? activations.data.subarray(channel * size, (channel + 1) * size) : activations.data;
    const spatial = layer.output_shape.length === 3;
    const where = (/** @type {number} */ tile, /** @type {number} */ y, /** @type {number} */ x) =>
      spatial ? `channel ${one ? channel : tile} · y ${y} · x ${x}` : `unit ${y * width + x}`;
    return {
      data, count: one ? 1 : count, height, width, across: 0, signed: layer.signed,
      group: scale === "map" ? 1 : count, where, length: data.length,
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
    if (weights?.shape.length === 4) return this.#filters(channel, weights, scale);
    if (weights?.shape.length === 2) return this.#rows(weights);
    const before = tensors?.get(layer.reads[0]);
    if (!before || channel === null || !layer.channelwise) {
      this.#caption("");
      return null;
    }
    const [, height, width] = before.shape;
    this.#caption(`reads ${layer.reads[0]}, channel ${channel}`);
    const data = before.data.subarray(channel * height * width, (channel + 1) * height * width);
    return {
      data, count: 1, height, width, across: 0, signed: true, group: 1,
      where: (/** @type {number} */ _, /** @type {number} */ y, /** @type {number} */ x) =>
        `${layer.reads[0]} · y ${y} · x ${x}`,
    };
  }

  /**
   * @param {number | null} channel
   * @param {Tensor} weights (filters, kernels, height, width)
   * @param {"map" | "layer"} scale
   */
  #filters(channel, { shape: [filters, kernels, height, width], data }, scale) {
    const size = kernels * height * width;
    const one = channel !== null;
    this.#caption(
      one
        ? `its filter: ${kernels === 1 ? "one kernel" : `${kernels} kernels`} of ${height} × ${width}`
        : `all ${filters} filters, ${kernels === 1 ? "one kernel each" : `a row of ${kernels} kernels each`}`,
    );
    return {
      data: one ? data.subarray(channel * size, (channel + 1) * size) : data,
      count: one ? kernels : filters * kernels,
      height, width, signed: true,
      group: one || scale === "map" ? kernels : filters * kernels,
      across: one || kernels === 1 ? 0 : kernels,
      where: (/** @type {number} */ tile, /** @type {number} */ y, /** @type {number} */ x) => {
        const filter = one ? channel : Math.floor(tile / kernels);
        return `filter ${filter} · kernel ${tile % kernels} · y ${y} · x ${x}`;
      },
    };
  }

  /**
   * The weights of a linear layer, a row per output.
   * @param {Tensor} weights
   */
  #rows({ shape: [outputs, inputs], data }) {
    this.#caption(`its weights: ${outputs} rows of ${inputs}`);
    return {
      data, count: outputs, height: 1, width: inputs, across: 1, signed: true, group: outputs,
      where: (/** @type {number} */ tile, /** @type {number} */ _, /** @type {number} */ x) =>
        `output ${tile} · input ${x}`,
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
   */
  #title(layer, channel, count) {
    const one = channel !== null && count > 1;
    const title = this.querySelector("h2");
    if (title) title.textContent = one ? `${layer.name} · channel ${channel}` : layer.name;
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
    const size = height * width;
    const data = activations && (one ? activations.data.subarray(channel * size, (channel + 1) * size) : activations.data);
    const what = one ? `${height} × ${width}` : layer.output_shape.join(" × ");
    words.replaceChildren(...facts(layer, what, data));
  }

  /** @param {Event} event */
  #choose(event) {
    const { tile } = /** @type {CustomEvent} */ (event).detail;
    if (this.channel !== null || !this.layer || event.target !== this.map) return;
    this.dispatchEvent(
      new CustomEvent("select", { bubbles: true, detail: { layer: this.layer.name, channel: tile } }),
    );
  }
}

/**
 * @param {Layer} layer
 * @param {string} what
 * @param {Float32Array | Uint8Array | null} data
 */
function facts(layer, what, data) {
  /** @type {[string, string][]} */
  const pairs = [[layer.kind.replaceAll("_", " "), layer.summary], ["shape", what]];
  if (data) {
    let [low, high, sum, silent] = [Infinity, -Infinity, 0, 0];
    for (const value of data) {
      low = Math.min(low, value);
      high = Math.max(high, value);
      sum += value;
      silent += Number(value === 0);
    }
    pairs.push(["smallest", format(low)], ["largest", format(high)], ["mean", format(sum / data.length)]);
    if (!layer.signed) pairs.push(["zeros", `${((100 * silent) / data.length).toFixed(0)} %`]);
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
