// A chart of curves over epochs, in the page's colours, whatever its theme and its width.

import { align, nearest } from "./curves.js";

/** @typedef {import("./history.js").Point} Point */

/**
 * @typedef {object} Curve
 * @property {string} label
 * @property {string} color a custom property of CSS, whose value is #rrggbb
 * @property {boolean} [faint] a thin line without points, behind the others
 */

/** How opaque, behind a colour of six digits. */
const FAINT = "73";
const FONT = "11px Inter, system-ui, sans-serif";

/** @param {string} name */
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Chart {
  /** @type {uPlot | null} */
  #plot = null;
  /** @type {uPlot.AlignedData} */
  #data = [[]];
  #logarithmic = false;

  /**
   * @param {HTMLElement} root
   * @param {Curve[]} curves
   * @param {{unit: string, epochs: number, range?: [number, number]}} axis
   */
  constructor(root, curves, axis) {
    this.root = root;
    this.curves = curves;
    this.axis = axis;
    this.rebuild = () => this.#build();
    this.sizes = new ResizeObserver(() => this.#plot?.setSize(this.#size()));
    this.sizes.observe(root);
    document.addEventListener("themechange", this.rebuild);
    this.#build();
  }

  /** @param {Point[][]} points of each curve */
  show(points) {
    this.#data = /** @type {uPlot.AlignedData} */ (align(points));
    this.#plot?.setData(this.#shown());
  }

  /** @param {boolean} logarithmic whether equal ratios are equally far apart */
  scale(logarithmic) {
    this.#logarithmic = logarithmic;
    this.#build();
  }

  remove() {
    this.sizes.disconnect();
    document.removeEventListener("themechange", this.rebuild);
    this.#plot?.destroy();
  }

  #size() {
    const style = getComputedStyle(this.root);
    return { width: Math.max(this.root.clientWidth, 120), height: Number.parseFloat(style.getPropertyValue("--chart-height")) || 240 };
  }

  /** A logarithm has no place for zero. */
  #shown() {
    if (!this.#logarithmic) return this.#data;
    const [places, ...rows] = this.#data;
    const positive = rows.map((row) => Array.from(row, (value) => (value && value > 0 ? value : null)));
    return /** @type {uPlot.AlignedData} */ ([places, ...positive]);
  }

  #build() {
    this.#plot?.destroy();
    this.#plot = new uPlot({ ...this.#size(), ...this.#options() }, this.#shown(), this.root);
  }

  /** @returns {Omit<uPlot.Options, "width" | "height">} */
  #options() {
    const [ink, line] = [css("--soft"), css("--line")];
    /** @type {uPlot.Axis} */
    const axis = { stroke: ink, font: FONT, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 } };
    const epochs = { ...axis, size: 32, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000], label: "epoch", labelFont: FONT, labelSize: 16 };
    const values = { ...axis, size: 52, values: (/** @type {uPlot} */ _, /** @type {number[]} */ ticks) => ticks.map((tick) => this.#tick(tick)) };
    return {
      padding: [8, 12, 0, 0],
      scales: { x: { time: false, range: (_, low, high) => [low === null || low < 1 ? 0 : 1, Math.max(high ?? 0, this.axis.epochs, 2)] }, y: { distr: this.#logarithmic ? 3 : 1, ...(this.axis.range ? { range: this.#range } : {}) } },
      axes: [epochs, values],
      cursor: {
        drag: { x: false, y: false },
        y: false,
        dataIdx: (plot, row, place) => (row ? nearest(plot.data[row], place) : place),
      },
      legend: { markers: { width: 0, fill: (_, place) => this.#color(this.curves[place - 1]) } },
      series: [{ label: "epoch", value: (_, at) => (at == null ? "–" : String(Number(at.toFixed(2)))) }, ...this.curves.map((one) => this.#series(one))],
    };
  }

  /** Accuracies need no room beyond their limits. @type {uPlot.Range.Function} */
  #range = (_, low, high) => {
    const [least, most] = this.axis.range ?? [0, 1];
    const room = Math.max((high - low) * 0.1, 1);
    return low == null ? [least, most] : [Math.max(least, low - room), Math.min(most, high + room)];
  };

  /** @param {number | null} tick */
  #tick(tick) {
    return tick === null ? "" : `${Number(tick.toPrecision(4))}${this.axis.unit}`;
  }

  /** @param {Curve | undefined} one */
  #color(one) {
    return one ? css(one.color) + (one.faint ? FAINT : "") : "transparent";
  }

  /**
   * @param {Curve} one
   * @returns {uPlot.Series}
   */
  #series(one) {
    const color = this.#color(one);
    return {
      label: one.label,
      stroke: color,
      width: one.faint ? 1 : 2,
      spanGaps: true,
      points: one.faint ? { show: false } : { size: 6, fill: color, stroke: color },
      value: (_, value) => (value == null ? "–" : `${value.toFixed(this.axis.unit ? 2 : 4)}${this.axis.unit}`),
    };
  }
}
