// A few numbers as a small picture, or as a table in which each can be read and chosen.

import { format, spanOf } from "./scales.js";
import { colors } from "./theme.js";

/** @typedef {(number | null)[][]} Rows null: there is no number, as in the padding */

/**
 * What a scale spans for all of several pictures.
 * @param {(Rows | null)[]} pictures
 * @param {boolean} signed
 */
export const commonSpan = (pictures, signed) =>
  spanOf(pictures.flatMap((rows) => (rows ?? []).flat().map((number) => number ?? 0)), signed);

/**
 * @param {HTMLCanvasElement} canvas whose size on the page the style sheet decides
 * @param {Rows} rows
 * @param {boolean} signed
 * @param {import("./scales.js").Span} span
 */
export function paintSmall(canvas, rows, signed, span) {
  const [height, width] = [rows.length, rows[0].length];
  // One pixel per number: the browser enlarges it without blurring.
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const picture = context.createImageData(width, height);
  const pixels = new Uint32Array(picture.data.buffer);
  const palette = colors(signed);
  rows.flat().forEach((number, place) => {
    if (number !== null) pixels[place] = palette[shade(number, span)];
  });
  context.putImageData(picture, 0, 0);
}

/**
 * @param {number} number
 * @param {import("./scales.js").Span} span
 */
function shade(number, { low, high }) {
  return Math.max(0, Math.min(255, Math.round(((number - low) / (high - low)) * 255)));
}

/**
 * The numbers as a table of buttons in their colours.
 * @param {Rows} rows
 * @param {string} name what they are, for those who can't see them
 * @param {boolean} signed
 * @param {import("./scales.js").Span} span
 * @param {((row: number, column: number) => void) | null} choose
 * @param {(row: number, column: number) => boolean} [winner] whether a number stands out
 */
export function tableOf(rows, name, signed, span, choose, winner) {
  const table = document.createElement("table");
  table.className = "numbers";
  table.setAttribute("aria-label", name);
  rows.forEach((numbers, row) => {
    const line = table.insertRow();
    numbers.forEach((number, column) => {
      const cell = line.insertCell();
      cell.title = number === null ? "padding: there is nothing" : String(number);
      cell.toggleAttribute("data-padding", number === null);
      cell.toggleAttribute("data-winner", !!winner?.(row, column));
      const held = choose && number !== null ? button(cell, () => choose(row, column)) : cell;
      held.textContent = number === null ? "·" : short(number);
      if (number !== null) tint(cell, number, signed, span);
    });
  });
  return table;
}

/**
 * @param {HTMLElement} cell
 * @param {() => void} choose
 */
function button(cell, choose) {
  const element = document.createElement("button");
  element.type = "button";
  element.addEventListener("click", choose);
  cell.append(element);
  return element;
}

/**
 * Two decimals, or as many digits as fit a small cell; the title has all of them.
 * @param {number} number
 */
function short(number) {
  const size = Math.abs(number);
  if (number === 0) return "0";
  if (size >= 0.005 && size < 100) return number.toFixed(2).replace("-", "−");
  return size < 0.005 ? `${number < 0 ? "−" : ""}~0` : format(number).replace(/\.\d+/, "");
}

/**
 * @param {HTMLElement} cell
 * @param {number} number
 * @param {boolean} signed
 * @param {import("./scales.js").Span} span
 */
function tint(cell, number, signed, span) {
  const color = colors(signed)[shade(number, span)];
  const [red, green, blue] = [color & 255, (color >> 8) & 255, (color >> 16) & 255];
  cell.style.setProperty("background", `rgb(${red} ${green} ${blue})`);
  // Black or white, whichever stands out more from the colour (its luma).
  cell.style.setProperty("color", 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "#000" : "#fff");
}
