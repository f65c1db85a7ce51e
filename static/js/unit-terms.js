// What the channels that a unit reads contribute to it: for each its window, its kernel and their
// products, as pictures; or one of them as tables in which every product can be read.

import { inputAt } from "./walking.js";
import { commonSpan, paintSmall, tableOf } from "./small-numbers.js";

/** @typedef {import("./walking.js").Unit} Unit */
/** @typedef {import("./walking.js").Term} Term */
/** @typedef {import("./walking.js").Place} Place */

// Tables of more columns can't be read; their pictures can.
const WIDEST_TABLE = 11;
// Of a layer with a longer name only the channel is told beside its pictures.
const LONG = 10;

/**
 * @typedef {object} Shown
 * @property {string[]} subtotals as they are shown, one for each term
 * @property {string} rest that of all terms that aren't here
 * @property {boolean} signed whether what was read can be negative
 */

export class UnitTerms {
  /** @type {HTMLElement[]} */
  #rows = [];
  /** @type {number | null} the channel whose numbers are open */
  #open = null;
  #alone = false;

  /**
   * @param {HTMLElement} element
   * @param {(which: number) => void} enter go into the strongest input of a term
   * @param {(place: Place) => void} go
   * @param {() => void} more show more terms
   */
  constructor(element, enter, go, more) {
    this.element = element;
    this.enter = enter;
    this.go = go;
    this.more = more;
    this.list = document.createElement("ol");
    this.list.className = "terms";
    this.tables = document.createElement("div");
    this.tables.className = "term-tables";
    this.folded = document.createElement("li");
    this.folded.className = "folded";
    this.folded.append(document.createElement("canvas"), document.createElement("span"));
    this.rest = document.createElement("button");
    this.rest.type = "button";
    this.rest.className = "control term-rest";
    this.rest.addEventListener("click", () => this.more());
  }

  /**
   * @param {Unit} unit
   * @param {Shown} shown
   */
  show(unit, shown) {
    // One window alone shows its numbers at once.
    this.#alone = unit.total === 1 && unit.terms[0].inputs.length > 1;
    const open = this.#alone ? 0 : unit.terms.findIndex((term) => term.channel === this.#open);
    if (open >= 0) return this.#showTables(unit, unit.terms[open], shown.subtotals[open], shown.signed);
    this.element.replaceChildren(this.list);
    this.#fit(unit.terms.length, !!unit.details.folded);
    if (unit.details.folded) this.#fold(unit);
    const spans = spansOf(unit.terms, shown.signed);
    unit.terms.forEach((term, which) => this.#fill(this.#rows[which], unit, term, shown.subtotals[which], spans));
    this.#sayRest(unit, shown);
  }

  /**
   * Make as many rows as there are terms; those that stay keep the focus.
   * @param {number} count
   * @param {boolean} folded whether there is a picture of all terms together
   */
  #fit(count, folded) {
    while (this.#rows.length < count) this.#rows.push(this.#row(this.#rows.length));
    this.#rows.length = count;
    const last = document.createElement("li");
    last.append(this.rest);
    const wanted = [...(folded ? [this.folded] : []), ...this.#rows, last];
    const same = this.list.childElementCount === wanted.length && this.list.contains(this.folded) === folded && this.list.lastElementChild?.contains(this.rest);
    if (!same) this.list.replaceChildren(...wanted);
  }

  /**
   * The products of all maps together, as a picture over those maps.
   * @param {Unit} unit
   */
  #fold({ details: { folded }, terms, total }) {
    const [canvas, words] = this.folded.children;
    paintSmall(/** @type {HTMLCanvasElement} */ (canvas), folded, true, commonSpan([folded], true));
    canvas.className = "small";
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `What each place of ${terms[0].source} adds, all of its ${total} maps together`);
    words.textContent = `What each place adds, all ${total} maps together`;
  }

  /** @param {number} which */
  #row(which) {
    const row = document.createElement("li");
    const enter = document.createElement("button");
    enter.type = "button";
    enter.className = "term";
    enter.innerHTML =
      '<canvas class="small"></canvas><i>×</i><canvas class="small"></canvas><i>=</i><canvas class="small"></canvas><span><b></b><small></small></span>';
    enter.addEventListener("click", () => this.enter(which));
    const numbers = document.createElement("button");
    numbers.type = "button";
    numbers.className = "control square term-open";
    numbers.textContent = "⤢";
    numbers.addEventListener("click", () => this.#toggle(Number(row.dataset.channel)));
    row.append(enter, numbers);
    return row;
  }

  /** @param {number | null} channel */
  #toggle(channel) {
    this.#open = channel;
    this.element.dispatchEvent(new CustomEvent("refresh", { bubbles: true }));
    const focus = channel === null ? this.list.querySelector("button") : this.tables.querySelector("button");
    if (focus instanceof HTMLElement) focus.focus();
  }

  /**
   * @param {HTMLElement} row
   * @param {Unit} unit
   * @param {Term} term
   * @param {string} subtotal
   * @param {ReturnType<typeof spansOf>} spans
   */
  #fill(row, unit, term, subtotal, spans) {
    const [enter, numbers] = row.querySelectorAll("button");
    const channel = term.source.length > LONG ? `channel ${term.channel}` : `${term.source} · ${term.channel}`;
    const name = unit.reads.length > 1 ? term.source : channel;
    row.dataset.channel = String(term.channel);
    write(enter.querySelector("small"), name);
    write(enter.querySelector("b"), subtotal);
    const label = `${term.source}, channel ${term.channel}: ${subtotal}. Go to the input that counts most.`;
    enter.setAttribute("aria-label", label);
    enter.title = `${term.subtotal}`;
    numbers.setAttribute("aria-label", `The numbers of ${name}`);
    numbers.hidden = !term.products || term.inputs.length * term.inputs[0].length === 1;
    const [inputs, weights, products] = row.querySelectorAll("canvas");
    paintSmall(inputs, padded(unit, term.inputs), spans.signed, spans.inputs);
    for (const one of enter.querySelectorAll("i")) one.toggleAttribute("hidden", !term.products);
    for (const canvas of [weights, products]) canvas.toggleAttribute("hidden", !term.products);
    if (term.weights) paintSmall(weights, term.weights, true, spans.weights);
    if (term.products) paintSmall(products, padded(unit, term.products), true, spans.products);
  }

  /**
   * @param {Unit} unit
   * @param {Shown} shown
   */
  #sayRest({ terms, total, rest }, shown) {
    this.rest.hidden = rest.count === 0;
    if (rest.count === 0) return;
    const what = rest.count === 1 ? "1 more" : `${rest.count.toLocaleString("en")} more`;
    this.rest.replaceChildren(`${what} `, bold(shown.rest));
    this.rest.setAttribute("aria-label", `${what} of ${total}, together ${shown.rest}. Show more than ${terms.length}.`);
  }

  /**
   * @param {Unit} unit
   * @param {Term} term
   * @param {string} subtotal
   * @param {boolean} signed
   */
  #showTables(unit, term, subtotal, signed) {
    const spans = spansOf([term], signed);
    const close = document.createElement("button");
    close.type = "button";
    close.className = "control";
    close.textContent = "All channels";
    close.addEventListener("click", () => this.#toggle(null));
    const title = document.createElement("p");
    if (!this.#alone) title.append(close);
    title.append(` ${term.source} · ${term.channel}: input × weight = product, together `, bold(subtotal));
    title.title = String(term.subtotal);
    const grids = document.createElement("div");
    grids.className = "term-grids";
    const go = (/** @type {number} */ row, /** @type {number} */ column) => {
      const place = inputAt(unit, term, row, column);
      if (place) this.go(place);
    };
    const readable = term.inputs[0].length <= WIDEST_TABLE && term.inputs.length <= WIDEST_TABLE;
    const part = readable ? tableOf : pictureOf;
    grids.append(part(padded(unit, term.inputs), "Inputs", signed, spans.inputs, go));
    if (term.weights) grids.append("×", part(term.weights, "Weights", true, spans.weights, null));
    if (term.products) grids.append("=", part(padded(unit, term.products), "Products", true, spans.products, go));
    this.tables.replaceChildren(title, grids);
    this.element.replaceChildren(this.tables);
  }
}

/**
 * @param {Term[]} terms
 * @param {boolean} signed whether the inputs are
 */
function spansOf(terms, signed) {
  return {
    signed,
    inputs: commonSpan(terms.map((term) => term.inputs), signed),
    weights: commonSpan(terms.map((term) => term.weights), true),
    products: commonSpan(terms.map((term) => term.products), true),
  };
}

/**
 * The numbers without those that stand in the padding, which are no unit's.
 * @param {Unit} unit
 * @param {(number | null)[][]} rows
 */
export function padded({ window }, rows) {
  if (!window || window.rows.length !== rows.length || window.columns.length !== rows[0].length) return rows;
  return rows.map((numbers, row) =>
    numbers.map((number, column) =>
      window.rows[row] === null || window.columns[column] === null ? null : number,
    ),
  );
}

/**
 * @param {(number | null)[][]} rows
 * @param {string} name
 * @param {boolean} signed
 * @param {import("./scales.js").Span} span
 */
function pictureOf(rows, name, signed, span) {
  const canvas = document.createElement("canvas");
  canvas.className = "large";
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${name}: ${rows.length} × ${rows[0].length} numbers as colours`);
  paintSmall(canvas, rows, signed, span);
  return canvas;
}

/** @param {string} text */
function bold(text) {
  const element = document.createElement("b");
  element.textContent = text;
  return element;
}

/**
 * @param {Element | null} element
 * @param {string} text
 */
function write(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}
