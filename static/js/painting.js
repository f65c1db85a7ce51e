// Paints maps into a picture, each number a rectangle of exactly its colour.

import { origin } from "./tiling.js";

/**
 * Paint one map into `pixels`, nearest number for every pixel.
 * @param {Uint32Array} pixels the picture, `stride` pixels a row
 * @param {number} stride
 * @param {{left: number, top: number, width: number, height: number}} box where, in pixels
 * @param {{data: ArrayLike<number>, start: number, width: number, height: number}} map
 * @param {import("./scales.js").Span} span
 * @param {Uint32Array} colors a palette of 256
 */
export function paintMap(pixels, stride, box, map, span, colors) {
  const factor = 255 / (span.high - span.low);
  const columns = new Int32Array(box.width);
  for (let x = 0; x < box.width; x++) columns[x] = Math.floor((x * map.width) / box.width);
  let painted = -1;
  for (let y = 0; y < box.height; y++) {
    const row = Math.floor((y * map.height) / box.height);
    const at = (box.top + y) * stride + box.left;
    if (row === painted) {
      // The row above shows the same numbers.
      pixels.copyWithin(at, at - stride, at - stride + box.width);
      continue;
    }
    painted = row;
    const start = map.start + row * map.width;
    for (let x = 0; x < box.width; x++) {
      const index = (map.data[start + columns[x]] - span.low) * factor;
      pixels[at + x] = colors[index <= 0 ? 0 : index >= 255 ? 255 : (index + 0.5) | 0];
    }
  }
}

/**
 * Paint a frame, one pixel wide, around a box.
 * @param {Uint32Array} pixels
 * @param {number} stride
 * @param {{left: number, top: number, width: number, height: number}} box within the frame
 * @param {number} color
 */
export function paintFrame(pixels, stride, { left, top, width, height }, color) {
  const first = (top - 1) * stride + left - 1;
  const last = first + (height + 1) * stride;
  pixels.fill(color, first, first + width + 2);
  pixels.fill(color, last, last + width + 2);
  for (let at = first + stride; at < last; at += stride) pixels[at] = pixels[at + width + 1] = color;
}

/**
 * Paint maps as tiles, in the order of their places in the data.
 * @param {Uint32Array} pixels
 * @param {number} stride
 * @param {import("./tiling.js").Tiling} tiling in the page's pixels
 * @param {number} density device pixels per pixel of the page
 * @param {{data: ArrayLike<number>, width: number, height: number}} layer
 * @param {number[]} maps
 * @param {(map: number) => import("./scales.js").Span} span
 * @param {(map: number) => Uint32Array} colors
 */
export function paintTiles(pixels, stride, tiling, density, layer, maps, span, colors) {
  const size = layer.width * layer.height;
  maps.forEach((map, place) => {
    const numbers = { ...layer, start: map * size };
    paintMap(pixels, stride, devicePixels(tiling, place, density), numbers, span(map), colors(map));
  });
}

/**
 * A tile's box in whole device pixels; neighbours stay flush whatever the density.
 * @param {import("./tiling.js").Tiling} tiling
 * @param {number} place
 * @param {number} density
 */
export function devicePixels(tiling, place, density) {
  const { left, top } = origin(tiling, place);
  const box = { left: Math.round(left * density), top: Math.round(top * density) };
  const width = Math.round((left + tiling.width) * density) - box.left;
  const height = Math.round((top + tiling.height) * density) - box.top;
  return { ...box, width, height };
}
