// The table of a sweep's runs: sorted by any column; a row keeps its element, and with it the focus.

import { sayValue, sorted } from "./parallel.js";
import { percent } from "./progress.js";

/** @typedef {import("./parallel.js").SweptRun} SweptRun */

/**
 * @typedef {object} Column
 * @property {string} name
 * @property {(run: SweptRun) => unknown} value what it is sorted by
 * @property {boolean} number
 */

/** @param {SweptRun} run */
const stateOf = ({ state, reason }) => `<span class="tag" data-state="${state}">${state}</span>${reason ? ' <span class="soft">stopped early</span>' : ""}`;

export class SweepTable {
  /** @type {Map<string, HTMLTableRowElement>} */
  #rows = new Map();
  /** @type {SweptRun[]} */
  #runs = [];
  /** @type {string | null} */
  #best = null;
  #by = -1;
  #falling = false;

  /**
   * @param {HTMLTableElement} table
   * @param {Record<string, any>} fields of the plan: lists and ranges
   * @param {string} pages the address of the runs' pages
   * @param {(run: string | null) => void} light is told which run is pointed at
   */
  constructor(table, fields, pages, light) {
    this.table = table;
    this.pages = pages;
    this.fields = Object.keys(fields);
    /** @type {Column[]} */
    this.columns = [
      { name: "Run", value: (run) => this.#runs.indexOf(run), number: false },
      { name: "Accuracy", value: (run) => run.best_accuracy, number: true },
      ...this.fields.map((field) => ({
        name: field.replaceAll("_", " "),
        value: (/** @type {SweptRun} */ run) => run.values[field],
        number: !Array.isArray(fields[field]) || typeof fields[field][0] === "number",
      })),
      { name: "Epochs", value: (run) => run.epoch, number: true },
      { name: "State", value: (run) => run.state, number: false },
    ];
    this.body = table.tBodies[0];
    this.#head();
    for (const kind of ["mouseover", "focusin"]) table.addEventListener(kind, (event) => light(runOf(event)));
    for (const kind of ["mouseleave", "focusout"]) table.addEventListener(kind, () => light(null));
  }

  /**
   * @param {SweptRun[]} runs
   * @param {string | null} best
   */
  show(runs, best) {
    this.#runs = runs;
    this.#best = best;
    this.#draw();
  }

  /** @param {string | null} run */
  light(run) {
    for (const [id, row] of this.#rows) row.classList.toggle("lit", id === run);
  }

  /** @param {string} run */
  reach(run) {
    const link = this.#rows.get(run)?.querySelector("a");
    link?.focus();
  }

  #head() {
    const cells = this.columns.map((column, place) => {
      const cell = document.createElement("th");
      const button = document.createElement("button");
      cell.scope = "col";
      cell.classList.toggle("number", column.number);
      Object.assign(button, { type: "button", className: "sort", textContent: column.name });
      button.addEventListener("click", () => this.#sort(place));
      cell.append(button);
      return cell;
    });
    this.table.tHead?.rows[0].replaceChildren(...cells);
  }

  /** By another column first the way that shows more: the most accurate on top. @param {number} place */
  #sort(place) {
    this.#falling = this.#by === place ? !this.#falling : this.columns[place].name === "Accuracy";
    this.#by = place;
    this.table.querySelectorAll("th[scope=col]").forEach((cell, at) => {
      if (at === place) cell.setAttribute("aria-sort", this.#falling ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
    this.#draw();
  }

  #draw() {
    const order = this.#by < 0 ? this.#runs : sorted(this.#runs, this.columns[this.#by].value, this.#falling);
    for (const [id, row] of this.#rows) if (!this.#runs.some((run) => run.id === id)) this.#drop(id, row);
    order.forEach((run, place) => {
      const row = this.#rows.get(run.id) ?? this.#add(run);
      this.#fill(row, run);
      // Moving a row would take the focus out of it.
      if (this.body.rows[place] !== row) this.body.insertBefore(row, this.body.rows[place] ?? null);
    });
  }

  /**
   * @param {string} id
   * @param {HTMLTableRowElement} row
   */
  #drop(id, row) {
    row.remove();
    this.#rows.delete(id);
  }

  /** @param {SweptRun} run */
  #add(run) {
    const row = document.createElement("tr");
    const link = document.createElement("a");
    const head = document.createElement("th");
    row.dataset.run = run.id;
    head.scope = "row";
    Object.assign(link, { href: `${this.pages}/${run.id}`, textContent: run.name });
    head.append(link);
    row.append(head, ...this.columns.slice(1).map((column) => Object.assign(document.createElement("td"), { className: column.number ? "number" : "" })));
    this.#rows.set(run.id, row);
    return row;
  }

  /**
   * @param {HTMLTableRowElement} row
   * @param {SweptRun} run
   */
  #fill(row, run) {
    row.classList.toggle("best", run.id === this.#best);
    const values = this.fields.map((field) => sayValue(run.values[field]));
    const accuracy = run.best_accuracy === null ? "–" : percent(run.best_accuracy);
    const texts = [accuracy, ...values, `${run.epoch} of ${run.epochs}`];
    texts.forEach((text, place) => (row.cells[place + 1].textContent = text));
    const cell = row.cells[texts.length + 1];
    const state = stateOf(run);
    if (cell.innerHTML !== state) cell.innerHTML = state;
    cell.title = run.reason ?? "";
  }
}

/** @param {Event} event @returns {string | null} */
const runOf = (event) => (event.target instanceof Element && /** @type {HTMLElement | null} */ (event.target.closest("[data-run]"))?.dataset.run) || null;
