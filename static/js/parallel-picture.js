// Parallel coordinates as SVG: a line for each run, in the colour of its accuracy.

import { accuracySpan, axesOf, pathOf, shareOf } from "./parallel.js";
import { colors } from "./theme.js";

/** @typedef {import("./parallel.js").SweptRun} SweptRun */
/** @typedef {import("./parallel.js").Axis} Axis */

const NAMESPACE = "http://www.w3.org/2000/svg";
const MARGIN = { left: 16, right: 64, top: 40, bottom: 16 };
/** Between two axes, so that their names and values have room. */
const GAP = 136;
/** The scale begins with the page's own colour, in which no line would be seen. */
const FAINTEST = 0.35;

/**
 * A colour of the scale.
 * @param {number} share of the span of accuracies, in 0..1
 */
export function colorOf(share) {
  const entry = colors(false)[Math.round((FAINTEST + (1 - FAINTEST) * share) * 255)];
  return `rgb(${entry & 255} ${(entry >> 8) & 255} ${(entry >> 16) & 255})`;
}

/** The scale as CSS has it. */
export const gradient = () => `linear-gradient(to right, ${[0, 0.25, 0.5, 0.75, 1].map(colorOf).join()})`;

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
function element(name, attributes, text) {
  const one = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, String(value));
  if (text !== undefined) one.textContent = text;
  return one;
}

export class ParallelPicture {
  /** @type {SweptRun[]} */
  #runs = [];
  /** @type {string | null} */
  #best = null;
  /** @type {string | null} */
  #lit = null;

  /**
   * @param {HTMLElement} root
   * @param {Record<string, any>} fields of the plan
   * @param {(run: string | null) => void} light is told which run is pointed at
   * @param {(run: string) => void} choose is told which line was clicked
   */
  constructor(root, fields, light, choose) {
    this.root = root;
    this.fields = fields;
    this.svg = element("svg", { role: "img", class: "parallel" });
    root.append(this.svg);
    new ResizeObserver(() => this.#draw()).observe(root);
    document.addEventListener("themechange", () => this.#draw());
    const runOf = (/** @type {Event} */ event) => (event.target instanceof SVGElement && event.target.dataset.run) || null;
    this.svg.addEventListener("mouseover", (event) => light(runOf(event)));
    this.svg.addEventListener("mouseleave", () => light(null));
    this.svg.addEventListener("click", (event) => {
      const run = runOf(event);
      if (run) choose(run);
    });
  }

  /**
   * @param {SweptRun[]} runs
   * @param {string | null} best
   * @param {string} words what the picture shows
   */
  show(runs, best, words) {
    this.#runs = runs;
    this.#best = best;
    this.svg.setAttribute("aria-label", words);
    this.#draw();
  }

  /** @param {string | null} run */
  light(run) {
    this.#lit = run;
    const lines = /** @type {NodeListOf<SVGElement>} */ (this.svg.querySelectorAll(".run-path"));
    const there = [...lines].some((line) => line.dataset.run === run);
    this.svg.classList.toggle("dimmed", there);
    for (const line of lines) line.classList.toggle("lit", line.dataset.run === run);
  }

  #draw() {
    const axes = axesOf(this.fields, this.#runs);
    const width = Math.max(this.root.clientWidth, MARGIN.left + MARGIN.right + GAP * (axes.length - 1));
    const height = Number.parseFloat(getComputedStyle(this.root).getPropertyValue("--chart-height")) + 40 || 300;
    const box = { left: MARGIN.left, top: MARGIN.top, width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
    for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` })) this.svg.setAttribute(name, String(value));
    this.svg.replaceChildren(...this.#lines(axes, box), ...axes.flatMap((axis, place) => drawAxis(axis, place, axes.length, box)));
    this.light(this.#lit);
  }

  /**
   * The best lies on top; each has a broad invisible one to point at.
   * @param {Axis[]} axes
   * @param {{left: number, top: number, width: number, height: number}} box
   */
  #lines(axes, box) {
    const span = accuracySpan(this.#runs) ?? { low: 0, high: 1 };
    const rank = (/** @type {SweptRun} */ run) => (run.id === this.#best ? 2 : (run.best_accuracy ?? 0));
    const shown = this.#runs.filter((run) => run.best_accuracy !== null).sort((a, b) => rank(a) - rank(b));
    const path = (/** @type {SweptRun} */ run, /** @type {string} */ kind) => element("path", { class: kind, "data-run": run.id, d: pathOf(run, axes, box) });
    const lines = shown.map((run) => {
      const line = path(run, run.id === this.#best ? "run-path best" : "run-path");
      line.style.stroke = colorOf(shareOf(run.best_accuracy ?? 0, span));
      return line;
    });
    return [...lines, ...shown.map((run) => path(run, "run-reach"))];
  }
}

/**
 * @param {Axis} axis
 * @param {number} place
 * @param {number} count
 * @param {{left: number, top: number, width: number, height: number}} box
 */
function drawAxis(axis, place, count, box) {
  const x = box.left + (count > 1 ? place / (count - 1) : 0) * box.width;
  const anchor = place === 0 ? "start" : "middle";
  const name = element("text", { class: "axis-name", x: place === 0 ? 0 : x, y: 18, "text-anchor": anchor }, axis.name.replaceAll("_", " "));
  const line = element("path", { class: "axis-line", d: `M${x} ${box.top}v${box.height}` });
  const ticks = axis.ticks.flatMap(({ at, text }) => {
    const y = box.top + (1 - at) * box.height;
    return [element("path", { class: "axis-line", d: `M${x - 3} ${y}h6` }), element("text", { class: "axis-value", x: x + 7, y: y + 4 }, text.length > 16 ? `${text.slice(0, 15)}…` : text)];
  });
  return [line, ...ticks, name];
}
