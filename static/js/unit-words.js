// What is said of a unit: in a sentence, and in the line that adds up.

import { addingUp, rounded } from "./adding.js";

/** @typedef {import("./walking.js").Unit} Unit */
/**
 * @typedef {object} Part of the line
 * @property {string} name
 * @property {string} text the number as it is shown; empty for a sign alone
 * @property {string} [sign] what stands before it
 * @property {number} [exact]
 */

const plural = (/** @type {number} */ count, /** @type {string} */ one, many = `${one}s`) =>
  `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/**
 * The shown subtotals of a sum, and the line of its parts; both from the same rounding.
 * @param {Unit} unit
 * @param {number} digits
 * @returns {{subtotals: string[], rest: string, line: Part[]}}
 */
export function account(unit, digits) {
  const { terms, rest, bias, sum } = unit;
  const show = (/** @type {number} */ value) => rounded(value, digits);
  if (sum === null || unit.kind.endsWith("softmax")) {
    return { subtotals: terms.map((term) => show(term.subtotal)), rest: show(rest.subtotal), line: lineOf(unit, show) };
  }
  const parts = [...terms.map((term) => term.subtotal), rest.subtotal, bias ?? 0];
  const shown = addingUp(parts, sum, digits);
  const subtotals = shown.parts.slice(0, terms.length);
  const added = shown.without(parts.length - 1);
  /** @type {Part[]} */
  const line = [{ name: wordFor(unit), text: added, exact: sum - (bias ?? 0) }];
  if (bias !== null) line.push({ name: "bias", sign: "+", text: shown.parts[terms.length + 1], exact: bias });
  if (unit.details.divisor) {
    line.push({ name: "numbers", sign: "÷", text: String(unit.details.divisor) });
    line.push({ name: unit.layer, sign: "=", text: show(unit.value), exact: unit.value });
  } else line.push({ name: unit.layer, sign: "=", text: shown.sum, exact: unit.value });
  return { subtotals, rest: shown.parts[terms.length], line: [...line, ...nextOf(unit, show)] };
}

/** @param {Unit} unit */
function wordFor({ kind, terms, total, details }) {
  if (details.divisor) return "sum of the window";
  const what = terms[0]?.index ? "number" : "channel";
  if (terms[0]?.products) return total === 1 ? "products" : `products of ${plural(total, what)}`;
  return kind === "add" ? "both" : "sum";
}

/**
 * The line of what adds nothing up.
 * @param {Unit} unit
 * @param {(value: number) => string} show
 * @returns {Part[]}
 */
function lineOf(unit, show) {
  const { details, layer, value, terms, formula, reads } = unit;
  const equals = { name: layer, sign: "=", text: show(value), exact: value };
  if (unit.kind === "batch_norm2d") return [...normLine(details, reads[0], show), equals, ...nextOf(unit, show)];
  if (unit.kind.endsWith("softmax")) return [...softmaxLine(unit, show), equals];
  if (details.winner) return [{ name: `the largest of ${plural(count(unit), "number")}`, text: "max" }, equals, ...nextOf(unit, show)];
  const input = terms[0]?.inputs[0]?.[0];
  if (input === undefined || input === null) return [equals];
  return [
    { name: reads[0], text: show(input), exact: input },
    { name: layer, sign: formula === "x" ? "=" : `→ ${formula} =`, text: show(value), exact: value },
    ...nextOf(unit, show),
  ];
}

/**
 * @param {Unit} unit
 * @param {(value: number) => string} show
 * @returns {Part[]}
 */
function softmaxLine({ kind, index, details: { logits, exponentials, shift, total } }, show) {
  const logit = logits[index[0]];
  if (kind !== "softmax") {
    const log = shift + Math.log(total);
    return [{ name: "z", text: show(logit), exact: logit }, { name: "log Σ eᶻ", sign: "−", text: show(log), exact: log }];
  }
  const own = exponentials[index[0]];
  return [
    { name: `e to ${show(logit)} − ${show(shift)}`, text: show(own), exact: own },
    { name: "sum of all of them", sign: "÷", text: show(total), exact: total },
  ];
}

/** @param {Unit} unit */
const count = ({ window, terms }) =>
  window
    ? window.rows.filter((row) => row !== null).length * window.columns.filter((column) => column !== null).length
    : terms.length;

/**
 * @param {Record<string, number>} details
 * @param {string} source
 * @param {(value: number) => string} show
 * @returns {Part[]}
 */
function normLine({ input, mean, variance, eps, weight, bias }, source, show) {
  return [
    { name: source, sign: "(", text: show(input), exact: input },
    { name: "mean", sign: "−", text: show(mean), exact: mean },
    { name: "variance", sign: ") ÷ √(", text: show(variance), exact: variance },
    { name: "eps", sign: "+", text: String(eps) },
    { name: "weight", sign: ") ×", text: show(weight), exact: weight },
    { name: "bias", sign: "+", text: show(bias), exact: bias },
  ];
}

/**
 * @param {Unit} unit
 * @param {(value: number) => string} show
 * @returns {Part[]}
 */
const nextOf = ({ next }, show) =>
  next.map(({ layer, value }) => ({ name: layer, sign: "→", text: show(value), exact: value }));

/**
 * What a unit reads, and how much of the picture it sees through that.
 * @param {Unit} unit
 */
export function readsInWords(unit) {
  const { window, total, reads, receptive_field: field, terms } = unit;
  if (unit.kind === "input") return "A pixel of the picture as the network sees it. Here everything begins.";
  const { top, left, bottom, right } = field.padded;
  const outside = top + left + bottom + right > 0 ? ", with padding" : "";
  const pixels = field.height * field.width === 0
    ? "no pixel of the picture, but its padding"
    : `${field.height} × ${field.width} pixels of the picture${outside}`;
  const folded = terms.length > 0 && !reads.includes(terms[0].source);
  const single = !window || (window.rows.length === 1 && window.columns.length === 1);
  const what = single
    ? plural(unit.kind.endsWith("softmax") ? unit.details.logits.length : total, "number")
    : `${plural(total, folded ? "map" : "window")} of ${window.rows.length} × ${window.columns.length}`;
  const where = folded ? `${terms[0].source} through ${reads[0]}` : reads.join(" and ");
  return `Reads ${what} in ${where}, and through ${total === 1 && single ? "it" : "them"} ${pixels}.`;
}

/**
 * Where a unit is, in words.
 * @param {import("./walking.js").Place} place
 * @param {number[]} shape of its layer's output
 */
export function placeInWords({ layer, channel, y, x }, shape) {
  return shape.length === 3 ? `${layer} · channel ${channel} · y ${y} · x ${x}` : `${layer} · unit ${channel}`;
}

/**
 * Whether the number is torch's, in words; the details in a second sentence.
 * @param {Unit} unit
 * @returns {{equal: boolean, short: string, long: string}}
 */
export function verdict({ agrees, difference, value, computed, own_precision: own }) {
  const long = `torch stored ${value}. In float64 it comes to ${computed}, ${difference === 0 ? "the same" : `a difference of ${difference.toExponential(2)}`}; in ${own.dtype} to ${own.computed}, ${own.difference === 0 ? "the same" : `a difference of ${own.difference.toExponential(2)}`}.`;
  return { equal: agrees, short: agrees ? "✓ equals torch" : `✗ torch says ${value}`, long };
}
