// What the network saw and how it came about: each step of the preparation as a small picture.

import { theme } from "./theme.js";

export class PreparationStrip extends HTMLElement {
  /** @type {import("./safetensors.js").Tensor[]} */
  #steps = [];

  connectedCallback() {
    document.addEventListener("themechange", () => this.#paint());
  }

  /** @param {import("./safetensors.js").Tensor[]} steps in order; none empties the strip */
  show(steps) {
    this.#steps = steps;
    this.#paint();
  }

  #paint() {
    this.querySelectorAll("canvas").forEach((canvas, place) => {
      const step = this.#steps[place];
      canvas.closest("figure")?.toggleAttribute("data-empty", !step);
      if (step) paint(canvas, step, theme() === "light");
    });
  }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {import("./safetensors.js").Tensor} step
 * @param {boolean} light ink is dark on a light page
 */
function paint(canvas, { shape, data }, light) {
  const [height, width, colors] = shape;
  canvas.width = width;
  canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const picture = context.createImageData(width, height);
  for (let at = 0; at < width * height; at++) {
    for (let c = 0; c < 3; c++) {
      const value = colors === 3 ? data[at * 3 + c] : light ? 255 - data[at] : data[at];
      picture.data[at * 4 + c] = value;
    }
    picture.data[at * 4 + 3] = 255;
  }
  context.putImageData(picture, 0, 0);
}

customElements.define("preparation-strip", PreparationStrip);
