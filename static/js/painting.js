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
 * @param {Int32Array} [columns] which of a row's numbers each pixel of the box shows
 */
export function paintMap(pixels, stride, box, map, span, colors, columns = columnsOf(box.width, map.width)) {
  const factor = 255 / (span.high - span.low);
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
 * Which number each pixel of a row shows.
 * @param {number} pixels
 * @param {number} numbers
 */
function columnsOf(pixels, numbers) {
  return Int32Array.from({ length: pixels }, (_, x) => Math.floor((x * numbers) / pixels));
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
  /** @type {Map<number, Int32Array>} those of a tile's width; there are two, if it isn't whole */
  const columns = new Map();
  maps.forEach((map, place) => {
    const box = devicePixels(tiling, place, density);
    const known = columns.get(box.width) ?? columnsOf(box.width, layer.width);
    columns.set(box.width, known);
    paintMap(pixels, stride, box, { ...layer, start: map * size }, span(map), colors(map), known);
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
