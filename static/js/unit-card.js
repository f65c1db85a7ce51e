// The card of one unit: how its number came about, from what it reads to the line that adds up.

import { account, readsInWords, verdict } from "./unit-words.js";
import { commonSpan, tableOf } from "./small-numbers.js";
import { rounded } from "./adding.js";
import { plotOf } from "./function-plot.js";
import { SoftmaxSums } from "./softmax-sums.js";
import { padded, UnitTerms } from "./unit-terms.js";
import { inputAt, strongestInput } from "./walking.js";

/** @typedef {import("./walking.js").Unit} Unit */
/** @typedef {import("./walking.js").Place} Place */
/** @typedef {import("./unit-words.js").Part} Part */

const DIGITS = [4, 7, 10];
// Windows of so many rows and columns are shown larger.
const LARGE = 3;
// So many steps a second, by the slider's place.
const SPEEDS = [1, 2, 4, 8, 16, 30];
const SAY_MS = 600;

export class UnitCard extends HTMLElement {
  /** @type {Unit | null} */
  #unit = null;
  #digits = DIGITS[0];
  #signed = true;
  /** @type {import("./function-plot.js").Pairs | null} */
  #pairs = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #next;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #saying;

  connectedCallback() {
    this.body = /** @type {HTMLElement} */ (this.querySelector(".unit-body"));
    const go = (/** @type {Place | null} */ place) => place && this.#tell("go", { place });
    this.terms = new UnitTerms(this.body, (which) => this.#unit && go(strongestInput(this.#unit, which)), go, () => this.#tell("more", {}));
    this.softmax = new SoftmaxSums(this.body, (channel) => this.#unit && go({ layer: this.#unit.layer, channel, y: 0, x: 0 }));
    this.body.addEventListener("refresh", () => this.#fill());
    this.#button("enter").addEventListener("click", () => this.enter());
    this.#button("back").addEventListener("click", () => this.#tell("back", {}));
    this.#button("step").addEventListener("click", () => this.#tell("step", {}));
    this.#button("play").addEventListener("click", () => this.play(!this.playing));
    this.#button("gradient").addEventListener("click", () => this.#toggleGradient());
    this.#button("digits").addEventListener("click", () => this.#moreDigits());
    document.addEventListener("themechange", () => this.#fill());
  }

  disconnectedCallback() {
    this.play(false);
  }

  /** @param {string} name */
  #button(name) {
    return /** @type {HTMLButtonElement} */ (this.querySelector(`.unit-${name}`));
  }

  /**
   * @param {string} name
   * @param {object} detail
   */
  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(`unit:${name}`, { bubbles: true, detail }));
  }

  get unit() {
    return this.#unit;
  }

  /** Go into the input that counts most. */
  enter() {
    const place = this.#unit && strongestInput(this.#unit);
    if (place) this.#tell("go", { place });
  }

  /**
   * @param {Unit | null} unit null while it isn't known
   * @param {number[]} shape of its layer's output
   * @param {boolean} signed whether what it reads can be negative
   * @param {boolean} returning whether there is a unit to go back to
   * @param {import("./function-plot.js").Pairs | null} pairs what the unit's function made of the
   *   map that it reads, where it is a function of one number
   */
  show(unit, shape, signed, returning, pairs) {
    this.#unit = unit;
    this.#pairs = pairs;
    this.#signed = signed;
    this.hidden = !unit;
    if (!unit) return this.play(false);
    this.#button("back").disabled = !returning;
    this.#button("enter").disabled = !strongestInput(unit);
    this.#button("gradient").disabled = unit.kind === "input";
    for (const name of ["play", "step"]) this.#button(name).hidden = shape.length !== 3 || shape[1] * shape[2] === 1;
    this.querySelector(".unit-speed")?.toggleAttribute("hidden", !!this.#button("play").hidden);
    this.#fill();
  }

  #fill() {
    const unit = this.#unit;
    if (!unit) return;
    const told = account(unit, this.#digits);
    write(this.querySelector(".unit-value"), rounded(unit.value, this.#digits));
    this.querySelector(".unit-value")?.setAttribute("title", String(unit.value));
    write(this.querySelector(".unit-words"), readsInWords(unit));
    this.#note(unit);
    this.#showBody(unit, told);
    this.#showLine(unit, told.line);
    this.#say(unit);
  }

  /**
   * Tell a screen reader, but not at every step of a stroke or of the playing window.
   * @param {Unit} unit
   */
  #say(unit) {
    clearTimeout(this.#saying);
    const [channel, y, x] = unit.index;
    const words = `${unit.layer}, channel ${channel}, row ${y}, column ${x} is ${rounded(unit.value, this.#digits)}. ${readsInWords(unit)} ${verdict(unit).equal ? "It equals torch's." : "It differs from torch's."}`;
    this.#saying = setTimeout(() => write(this.querySelector("[role=status]"), words), SAY_MS);
  }

  /** @param {Unit} unit */
  #note({ details, kind, layer, index }) {
    const note = /** @type {HTMLElement} */ (this.querySelector(".unit-note"));
    note.hidden = !details.dead;
    note.textContent = details.dead
      ? `Dead here: all of ${layer}, channel ${index[0]}, is 0 for this picture, so nothing behind it hears of what this ${kind.replaceAll("_", " ")} read.`
      : "";
  }

  /**
   * @param {Unit} unit
   * @param {{subtotals: string[], rest: string}} told
   */
  #showBody(unit, told) {
    const body = /** @type {HTMLElement} */ (this.body);
    if (unit.kind.endsWith("softmax")) return this.softmax?.show(unit, this.#digits);
    const term = unit.terms[0];
    const window = term && !term.products && unit.window && term.inputs.length * term.inputs[0].length > 1;
    if (window) return body.replaceChildren(...this.#windowTable(unit));
    if (!term || (!term.products && unit.terms.length === 1)) return body.replaceChildren(...this.#plot(unit));
    return this.terms?.show(unit, { ...told, signed: this.#signed });
  }

  /** @param {Unit} unit */
  #plot(unit) {
    const input = unit.terms[0]?.inputs[0][0];
    if (!this.#pairs || typeof input !== "number") return [];
    const style = getComputedStyle(this);
    return [plotOf(this.#pairs, { input, output: unit.value }, (name) => style.getPropertyValue(name).trim())];
  }

  /**
   * The window of a pool: what it read, the winner marked.
   * @param {Unit} unit
   */
  #windowTable(unit) {
    const term = unit.terms[0];
    const { rows, columns } = /** @type {NonNullable<Unit["window"]>} */ (unit.window);
    const [y, x] = unit.details.winner ?? [null, null];
    const choose = (/** @type {number} */ row, /** @type {number} */ column) => {
      const place = inputAt(unit, term, row, column);
      if (place) this.#tell("go", { place });
    };
    const winner = y === null ? "" : `The winner is y ${y} · x ${x} of ${term.source}; no other number of the window is heard.`;
    const words = Object.assign(document.createElement("p"), { className: "unit-words", textContent: winner });
    const table = tableOf(
      padded(unit, term.inputs), `The window in ${term.source}, channel ${term.channel}`, this.#signed,
      commonSpan([term.inputs], this.#signed), choose,
      (row, column) => y !== null && rows[row] === y && columns[column] === x,
    );
    table.classList.toggle("window", rows.length <= LARGE && columns.length <= LARGE);
    return [table, words];
  }

  /**
   * @param {Unit} unit
   * @param {Part[]} parts
   */
  #showLine(unit, parts) {
    const line = /** @type {HTMLElement} */ (this.querySelector(".unit-line"));
    const { equal, short, long } = verdict(unit);
    const mark = document.createElement("p");
    mark.className = "unit-verdict";
    mark.toggleAttribute("data-equal", equal);
    mark.textContent = this.#digits > DIGITS[0] ? `${short}. ${long}` : short;
    mark.title = long;
    line.replaceChildren(...parts.flatMap(partOf), mark);
  }

  #moreDigits() {
    this.#digits = DIGITS[(DIGITS.indexOf(this.#digits) + 1) % DIGITS.length];
    this.#button("digits").textContent = `${this.#digits} digits`;
    this.#fill();
  }

  /** Whether the page shows where the number's gradient is. */
  get gradient() {
    return this.#button("gradient").getAttribute("aria-pressed") === "true";
  }

  #toggleGradient() {
    this.#button("gradient").setAttribute("aria-pressed", String(!this.gradient));
    this.#tell("gradient", {});
  }

  get playing() {
    return this.#button("play").getAttribute("aria-pressed") === "true";
  }

  /** @param {boolean} on whether the window moves on by itself */
  play(on) {
    if (on === this.playing) return;
    clearTimeout(this.#next);
    this.#button("play").setAttribute("aria-pressed", String(on));
    this.#button("play").textContent = on ? "Pause" : "Play";
    if (on) this.#step();
    else this.#tell("pause", {});
  }

  #step() {
    this.#tell("step", {});
    const speed = Number(this.querySelector("input")?.value ?? 0);
    this.#next = setTimeout(() => this.#step(), 1000 / SPEEDS[speed]);
  }
}

/** @param {Part} part */
function partOf({ name, text, sign, exact }) {
  const elements = [];
  if (sign) elements.push(Object.assign(document.createElement("i"), { textContent: sign }));
  const part = document.createElement("span");
  part.append(Object.assign(document.createElement("small"), { textContent: name }), Object.assign(document.createElement("b"), { textContent: text }));
  if (exact !== undefined) part.title = String(exact);
  return [...elements, part];
}

/**
 * @param {Element | null} element
 * @param {string} text
 */
function write(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

customElements.define("unit-card", UnitCard);
