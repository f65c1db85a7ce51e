// The network: its layers' columns side by side, and the one canvas behind them on which all their
// maps are painted. One canvas, since a browser spends as much on each as on all their pixels.

import "./layer-column.js";
import { isLarge } from "./looking.js";

/** @typedef {import("./layer-column.js").LayerColumn} LayerColumn */
/** @typedef {import("./safetensors.js").Tensor} Tensor */

// Of all maps together. A network of a hundred columns on a fine screen would have more.
const MOST_PIXELS = 16e6;
// How far beyond the edges columns are kept ready, so that they are there when they come into view.
const MARGIN = 120;

export class LayerColumns extends HTMLElement {
  #density = 1;

  connectedCallback() {
    this.canvas = /** @type {HTMLCanvasElement} */ (this.querySelector(":scope > canvas"));
    const observer = new ResizeObserver(() => this.#layOut());
    for (const room of this.querySelectorAll(".maps")) observer.observe(room);
    // From the markup, since the columns may not be what they are to be yet.
    const shapes = this.columns.map(({ dataset }) => (dataset.shape ?? "").split(",").map(Number));
    this.large = isLarge(shapes);
    this.toggleAttribute("data-large", this.large);
    if (this.large) this.addEventListener("scroll", () => this.#look());
  }

  /** Others are seen now: paint those that have numbers, and tell of it. */
  #look() {
    this.#paint();
    this.dispatchEvent(new CustomEvent("look"));
  }

  /**
   * Bring a column into view.
   * @param {string} name its layer's
   */
  reveal(name) {
    const column = this.columns.find((one) => one.dataset.name === name);
    if (!column) return;
    const right = column.offsetLeft + column.offsetWidth - this.clientWidth;
    this.scrollTo({ left: Math.min(column.offsetLeft, Math.max(this.scrollLeft, right)) });
  }

  /** @returns {LayerColumn[]} the columns in view, and those just beside it */
  get seen() {
    const [from, to] = [this.scrollLeft - MARGIN, this.scrollLeft + this.clientWidth + MARGIN];
    return this.columns.filter((_, place) => {
      const left = this.#lefts[place] / this.#density;
      return left < to && (this.#lefts[place + 1] ?? Infinity) / this.#density > from;
    });
  }

  /** @returns {LayerColumn[]} in forward order */
  get columns() {
    return /** @type {LayerColumn[]} */ ([...this.querySelectorAll("layer-column")]);
  }

  /**
   * @param {Map<string, Tensor> | null} tensors activations by layer; null empties the columns
   * @param {"map" | "layer"} scale
   */
  show(tensors, scale) {
    for (const column of this.columns) {
      column.show(tensors?.get(column.dataset.name ?? "") ?? null, scale);
    }
    this.#paint();
  }

  #layOut() {
    const [first] = this.columns;
    const { canvas } = this;
    if (!canvas || !first?.room.clientHeight) return;
    const [width, height] = [this.scrollWidth, first.room.clientHeight];
    this.#density = Math.min(devicePixelRatio, Math.sqrt(MOST_PIXELS / (width * height)));
    canvas.width = Math.round(width * this.#density);
    canvas.height = Math.round(height * this.#density);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    canvas.style.top = `${this.#offset(first).top}px`;
    for (const column of this.columns) column.layOut(!!this.large);
    this.#lefts = this.columns.map((column) => Math.round(this.#offset(column).left * this.#density));
    this.#look();
  }

  /** @type {number[]} where each column begins, in the canvas's pixels */
  #lefts = [];

  /**
   * Where a column's maps begin, from this element's own corner.
   * @param {LayerColumn} column
   */
  #offset({ room }) {
    const [outer, inner] = [this.getBoundingClientRect(), room.getBoundingClientRect()];
    return { left: inner.left - outer.left + this.scrollLeft, top: inner.top - outer.top };
  }

  #paint() {
    const context = this.canvas?.getContext("2d");
    if (!context) return;
    const seen = this.large ? this.seen : null;
    this.columns.forEach((column, place) => {
      if (seen?.includes(column) ?? true) column.paint(context, this.#lefts[place], this.#density);
      else column.rest();
    });
  }
}

customElements.define("layer-columns", LayerColumns);
