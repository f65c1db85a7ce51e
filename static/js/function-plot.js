// A function of one number, as what it made of a map: each number over the one that it came from.

import { format } from "./scales.js";

/**
 * @typedef {object} Pairs
 * @property {ArrayLike<number>} inputs
 * @property {ArrayLike<number>} outputs as many
 * @property {string} source the layer of the inputs
 * @property {string} layer that of the outputs
 */

const SIDE = 148;
const MARGIN = 10;

/**
 * A picture of all pairs, with one of them marked.
 * @param {Pairs} pairs
 * @param {{input: number, output: number}} marked
 * @param {(name: string) => string} color of the page, by its name
 */
export function plotOf({ inputs, outputs, source, layer }, marked, color) {
  const canvas = document.createElement("canvas");
  const density = Math.max(1, devicePixelRatio);
  [canvas.width, canvas.height] = [SIDE * density, SIDE * density];
  canvas.className = "plot";
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Every number of ${layer} over the number of ${source} that it was made of; this one is ${format(marked.output)} over ${format(marked.input)}`);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.scale(density, density);
  const [across, down] = [scaleOf([...Array.from(inputs), 0]), scaleOf([...Array.from(outputs), 0])];
  const place = (/** @type {number} */ x, /** @type {number} */ y) => /** @type {const} */ ([
    MARGIN + across(x) * (SIDE - 2 * MARGIN), SIDE - MARGIN - down(y) * (SIDE - 2 * MARGIN),
  ]);
  const [left, base] = place(0, 0);
  context.fillStyle = color("--line");
  context.fillRect(left, 0, 1, SIDE);
  context.fillRect(0, base, SIDE, 1);
  context.fillStyle = color("--accent");
  for (let at = 0; at < inputs.length; at++) {
    const [x, y] = place(inputs[at], outputs[at]);
    context.fillRect(x - 1, y - 1, 2, 2);
  }
  context.strokeStyle = color("--warm");
  context.lineWidth = 2;
  context.beginPath();
  context.arc(...place(marked.input, marked.output), 5, 0, 2 * Math.PI);
  context.stroke();
  return canvas;
}

/**
 * From numbers to places between 0, for the smallest, and 1.
 * @param {number[]} values at least one
 */
function scaleOf(values) {
  const [low, high] = values.reduce(([least, most], one) => [Math.min(least, one), Math.max(most, one)], [Infinity, -Infinity]);
  return (/** @type {number} */ value) => (high > low ? (value - low) / (high - low) : 0.5);
}
