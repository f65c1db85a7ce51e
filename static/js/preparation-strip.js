// What the network saw and how it came about: each step of the preparation as a small picture.

import { theme } from "./theme.js";

/** @typedef {import("./safetensors.js").Tensor} Tensor */
/** @typedef {{name: string, caption: string, picture: Tensor}} Step */

export class PreparationStrip extends HTMLElement {
  /** @type {Step[]} */
  #steps = [];

  connectedCallback() {
    document.addEventListener("themechange", () => this.#paint());
  }

  /** @param {Step[]} steps in order; none empties the strip */
  show(steps) {
    const same = steps.map((step) => step.name).join() === this.#steps.map((step) => step.name).join();
    this.#steps = steps;
    if (steps.length && !same) this.replaceChildren(...steps.map(figure));
    if (!steps.length) this.querySelectorAll("canvas").forEach((canvas) => canvas.getContext("2d")?.reset());
    this.#paint();
  }

  #paint() {
    const canvases = this.querySelectorAll("canvas");
    this.#steps.forEach(({ picture }, place) => paint(canvases[place], picture, theme() === "light" ? 255 : 0));
  }
}

/** @param {Step} step */
function figure({ name, caption }) {
  const element = document.createElement("figure");
  const canvas = document.createElement("canvas");
  const words = document.createElement("figcaption");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", caption);
  element.title = caption;
  words.textContent = name;
  element.append(canvas, words);
  return element;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Tensor} picture (height, width) grey, light ink, or (height, width, 3)
 * @param {number} ink what turns light ink into the page's: 255 for dark ink, 0 for light
 */
function paint(canvas, { shape, data }, ink) {
  const [height, width, colors] = shape;
  // A canvas that is given a size, even the same, makes the page lay itself out anew.
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const picture = context.createImageData(width, height);
  const pixels = new Uint32Array(picture.data.buffer);
  for (let at = 0; at < pixels.length; at++) {
    const light = colors === 3
      ? (data[3 * at + 2] << 16) | (data[3 * at + 1] << 8) | data[3 * at]
      : (data[at] ^ ink) * 0x010101;
    pixels[at] = 0xff000000 | light;
  }
  context.putImageData(picture, 0, 0);
}

customElements.define("preparation-strip", PreparationStrip);
