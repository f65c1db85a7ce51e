// The columns, the answer and the inspector of one model.

import { readNpy } from "./npy.js";
import { Refusal, request } from "./request.js";

/** @typedef {import("./safetensors.js").Tensor} Tensor */
/** @typedef {import("./map-inspector.js").Layer} Layer */
/** @typedef {import("./address.js").View} View */
/** @typedef {import("./probability-bars.js").Prediction} Prediction */

/** @type {Layer} */
const INPUT = {
  name: "input", kind: "input", summary: "the picture as the network sees it",
  output_shape: [], weight_shape: null, reads: [], signed: false, channelwise: false,
};

export class ModelView {
  /** @type {Map<string, Tensor> | null} */
  #tensors = null;
  /** @type {Prediction | null} */
  #prediction = null;
  /** @type {Map<string, Promise<Tensor>>} */
  #weights = new Map();

  /**
   * @param {HTMLElement} element the server's markup of the model
   * @param {(layer: string | null, channel: number | null) => void} select
   * @param {(scale: "map" | "layer") => void} setScale
   */
  constructor(element, select, setScale) {
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
    this.choose = select;
    this.#listen(setScale);
  }

  /** @param {(scale: "map" | "layer") => void} setScale */
  #listen(setScale) {
    this.network.addEventListener("click", (event) => this.#click(event));
    this.network.addEventListener("pointerover", (event) => this.#hover(event));
    this.network.addEventListener("focusin", (event) => this.#hover(event));
    this.network.addEventListener("pointerleave", () => this.#light(null, 0));
    for (const radio of this.#radios()) {
      radio.addEventListener("change", () => setScale(radio.value === "layer" ? "layer" : "map"));
    }
    this.inspector.addEventListener("select", (event) => {
      const { layer, channel } = /** @type {CustomEvent} */ (event).detail;
      this.choose(layer, channel);
    });
    this.inspector.addEventListener("click", (event) => this.#clickInspector(event));
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
   */
  show(tensors, prediction, view) {
    this.#tensors = tensors;
    this.#prediction = prediction;
    this.repaint(view);
  }

  /** @param {View} view */
  repaint(view) {
    this.network.show(this.#tensors, view.scale);
    this.bars.show(this.#prediction);
    for (const radio of this.#radios()) radio.checked = radio.value === view.scale;
    void this.#inspect(view);
  }

  /** @param {View} view */
  select(view) {
    for (const column of this.network.columns) {
      const chosen = column.dataset.name === view.layer;
      column.toggleAttribute("data-chosen", chosen);
      column.mark(chosen ? (view.channel ?? -1) : null);
    }
    void this.#inspect(view);
  }

  /** @param {View} view */
  async #inspect(view) {
    const layer = this.layers.find((one) => one.name === view.layer && one.kind !== "softmax");
    this.inspector.hidden = !layer;
    if (!layer) return;
    const count = layer.output_shape.length === 3 ? layer.output_shape[0] : 1;
    const channel = view.channel !== null && view.channel < count ? view.channel : null;
    const seen = { layer, channel, tensors: this.#tensors, scale: view.scale };
    this.inspector.show({ ...seen, weights: await this.#weightsOf(layer) });
  }

  /**
   * @param {Layer} layer
   * @returns {Promise<Tensor | null>}
   */
  async #weightsOf(layer) {
    if (!layer.weight_shape) return null;
    const url = `/api/v1/models/${encodeURIComponent(this.name)}/layers/${encodeURIComponent(layer.name)}/filters.npy`;
    const known = this.#weights.get(url) ?? request(url).then(async (r) => readNpy(await r.arrayBuffer()));
    this.#weights.set(url, known);
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
    if (button.dataset.step && layer && channel !== null && channel !== undefined) {
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
