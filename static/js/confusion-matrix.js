// Which class is taken for which, as a table whose cells are shaded; it changes as a network learns.

import { shade } from "./confusion.js";
import { percent } from "./progress.js";

// A table of more classes is neither read nor painted.
const MOST = 120;

export class ConfusionMatrix extends HTMLElement {
  /** @type {string[]} */
  #classes = [];

  /**
   * @param {string[]} classes
   * @param {number[][]} confusion a row per true class
   */
  show(classes, confusion) {
    if (classes.length > MOST) {
      this.textContent = `${classes.length.toLocaleString("en")} classes are too many for a table.`;
      return;
    }
    if (classes !== this.#classes) this.#build(classes);
    const rows = /** @type {NodeListOf<HTMLTableRowElement>} */ (this.querySelectorAll("tbody tr"));
    confusion.forEach((row, actual) => this.#fill(rows[actual], row, actual));
  }

  /** @param {string[]} classes */
  #build(classes) {
    this.#classes = classes;
    const table = document.createElement("table");
    table.className = "confusion";
    table.createCaption().textContent = "Rows are what a picture shows, columns what it is taken for.";
    const head = table.createTHead().insertRow();
    head.insertCell();
    for (const name of [...classes, "right"]) head.append(heading(name, "col"));
    const body = table.createTBody();
    for (const name of classes) {
      const row = body.insertRow();
      row.append(heading(name, "row"));
      for (let cell = 0; cell <= classes.length; cell++) row.insertCell();
    }
    this.replaceChildren(table);
  }

  /**
   * @param {HTMLTableRowElement} row
   * @param {number[]} counts
   * @param {number} actual
   */
  #fill(row, counts, actual) {
    const all = counts.reduce((sum, count) => sum + count, 0);
    counts.forEach((count, taken) => {
      const cell = row.cells[taken + 1];
      const right = taken === actual;
      cell.className = right ? "hit" : "miss";
      cell.dataset.shade = String(shade(count, all, right));
      cell.textContent = count ? String(count) : "";
      cell.title = count ? `${this.#classes[actual]} taken for ${this.#classes[taken]}: ${count}` : "";
    });
    const last = row.cells[counts.length + 1];
    last.className = "number";
    last.textContent = all ? percent(counts[actual] / all) : "";
  }
}

/**
 * @param {string} text
 * @param {string} scope
 */
function heading(text, scope) {
  const cell = document.createElement("th");
  cell.scope = scope;
  cell.textContent = text;
  return cell;
}

customElements.define("confusion-matrix", ConfusionMatrix);
