// A colour scale as a strip, for legends.

import { colors } from "./theme.js";

/**
 * @param {HTMLCanvasElement} canvas one pixel high
 * @param {boolean} signed
 */
export function paintRamp(canvas, signed) {
  const palette = colors(signed);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const picture = context.createImageData(canvas.width, 1);
  const pixels = new Uint32Array(picture.data.buffer);
  pixels.forEach((_, x) => {
    pixels[x] = palette[Math.round((x / (canvas.width - 1)) * 255)];
  });
  context.putImageData(picture, 0, 0);
}
