// How a probability comes about: every logit, its exponential, their sum; and what would become of
// it at another temperature, or with logits that are dragged elsewhere.

import { rounded } from "./adding.js";
import { percent } from "./scales.js";
import { largest, softmax } from "./softmax.js";

/** @typedef {import("./walking.js").Unit} Unit */

// A table of a thousand classes helps nobody.
const MOST = 10;
// How far a logit can be dragged from where all of them are.
const ROOM = 5;

export class SoftmaxSums {
  /** @type {Map<number, number>} logits that were dragged, by class */
  #dragged = new Map();
  #temperature = 1;
  /** @type {Unit | null} */
  #unit = null;
  #digits = 4;

  /**
   * @param {HTMLElement} element
   * @param {(channel: number) => void} choose another class
   */
  constructor(element, choose) {
    this.element = element;
    this.choose = choose;
    this.tables = document.createElement("div");
    this.tables.className = "softmax-tables";
    this.foot = document.createElement("div");
    this.foot.className = "softmax-foot";
    this.sum = document.createElement("p");
    this.foot.append(this.#temperatureField(), this.#reset(), this.sum);
  }

  /**
   * @param {Unit} unit
   * @param {number} digits
   */
  show(unit, digits) {
    if (unit.layer !== this.#unit?.layer) this.#dragged.clear();
    this.#unit = unit;
    this.#digits = digits;
    if (this.tables.parentElement !== this.element) this.element.replaceChildren(this.tables, this.foot);
    this.#fill();
  }

  #fill() {
    const unit = /** @type {Unit} */ (this.#unit);
    /** @type {{logits: number[], labels: string[]}} */
    const { logits: given, labels } = /** @type {any} */ (unit.details);
    const logits = given.map((logit, place) => this.#dragged.get(place) ?? logit);
    const { shift, exponentials, total, probabilities } = softmax(logits, this.#temperature);
    const places = largest(given, Math.min(MOST, given.length), unit.index[0]);
    const span = [Math.min(...given) - ROOM, Math.max(...given) + ROOM];
    this.#fit(places.length);
    places.forEach((place, row) => {
      const line = this.#rows[row];
      const numbers = [logits[place], exponentials[place], probabilities[place]];
      this.#line(line, place, labels[place], numbers, span, place === unit.index[0]);
    });
    this.#say(shift, total, places.length, given.length);
  }

  /** @type {HTMLTableRowElement[]} */
  #rows = [];

  /**
   * Make as many rows as there are classes, half of them in each of two tables.
   * @param {number} count
   */
  #fit(count) {
    if (this.#rows.length === count) return;
    this.#rows = Array.from({ length: count }, () => this.#row());
    const half = Math.ceil(count / 2);
    this.tables.replaceChildren(tableWith(this.#rows.slice(0, half)), tableWith(this.#rows.slice(half)));
  }

  #row() {
    const row = document.createElement("tr");
    const [name, logit, slide, exponential, share] = Array.from({ length: 5 }, () => row.insertCell());
    const button = document.createElement("button");
    button.type = "button";
    button.className = "link";
    button.addEventListener("click", () => this.choose(Number(row.dataset.place)));
    name.append(button);
    const range = document.createElement("input");
    range.type = "range";
    range.step = "any";
    range.addEventListener("input", () => {
      this.#dragged.set(Number(row.dataset.place), Number(range.value));
      this.#fill();
    });
    slide.append(range);
    logit.className = exponential.className = share.className = "figure";
    return row;
  }

  /**
   * @param {HTMLTableRowElement} row
   * @param {number} place
   * @param {string} label
   * @param {number[]} numbers the logit, its exponential and the probability
   * @param {number[]} span from where to where a logit can be dragged
   * @param {boolean} chosen
   */
  #line(row, place, label, [logit, exponential, probability], [low, high], chosen) {
    const [name, z, slide, e, p] = row.cells;
    const range = /** @type {HTMLInputElement} */ (slide.querySelector("input"));
    row.dataset.place = String(place);
    row.toggleAttribute("data-chosen", chosen);
    row.toggleAttribute("data-dragged", this.#dragged.has(place));
    const button = /** @type {HTMLElement} */ (name.querySelector("button"));
    button.textContent = label;
    button.setAttribute("aria-label", `How the probability of ${label} comes about`);
    [range.min, range.max] = [String(low), String(high)];
    if (document.activeElement !== range || !this.#dragged.has(place)) range.value = String(logit);
    range.setAttribute("aria-label", `Logit of ${label}`);
    z.textContent = rounded(logit, this.#digits);
    e.textContent = rounded(exponential, this.#digits);
    p.textContent = this.#digits > 4 ? rounded(probability, this.#digits) : `${percent(probability)} %`;
    [z.title, e.title, p.title] = [logit, exponential, probability].map(String);
  }

  /**
   * @param {number} shift
   * @param {number} total
   * @param {number} shown
   * @param {number} count
   */
  #say(shift, total, shown, count) {
    const some = shown < count ? `${shown} of ${count.toLocaleString("en")} classes are here. ` : "";
    const tried = this.#dragged.size || this.#temperature !== 1 ? " This is tried out: the drawing says otherwise." : "";
    this.sum.textContent = `${some}The sum of all e to z − max is ${rounded(total, this.#digits)}; max is ${rounded(shift, this.#digits)}.${tried}`;
    this.foot.querySelector("button")?.toggleAttribute("disabled", !tried);
  }

  #temperatureField() {
    const label = document.createElement("label");
    const range = document.createElement("input");
    const output = document.createElement("output");
    range.type = "range";
    // Powers of two, from an eighth to eight.
    [range.min, range.max, range.step, range.value] = ["-3", "3", "0.25", "0"];
    output.textContent = "1";
    range.addEventListener("input", () => {
      this.#temperature = 2 ** Number(range.value);
      output.textContent = String(Number(this.#temperature.toPrecision(3)));
      this.#fill();
    });
    this.temperature = range;
    label.append("Temperature ", range, output);
    return label;
  }

  #reset() {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "control";
    button.textContent = "As computed";
    button.addEventListener("click", () => {
      this.#dragged.clear();
      if (!this.temperature) return;
      this.temperature.value = "0";
      this.temperature.dispatchEvent(new Event("input"));
    });
    return button;
  }
}

/** @param {HTMLTableRowElement[]} rows */
function tableWith(rows) {
  const table = document.createElement("table");
  table.className = "softmax";
  const head = table.createTHead().insertRow();
  for (const name of ["class", "z", "", "e to z − max", "p"]) {
    head.append(Object.assign(document.createElement("th"), { textContent: name }));
  }
  table.createTBody().append(...rows);
  return table;
}
