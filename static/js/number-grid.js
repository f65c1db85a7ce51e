// Numbers as rectangles of colour, with each one's value under the pointer or the keyboard's
// cursor: an enlarged map, a filter's kernels, all filters of a layer.

import { GAP, ZOOM } from "./looking.js";
import { paintTiles } from "./painting.js";
import { format, spanOf } from "./scales.js";
import { colors } from "./theme.js";
import { extent, origin } from "./tiling.js";

/**
 * @typedef {object} Numbers
 * @property {ArrayLike<number>} data the tiles one after another
 * @property {number} count of tiles
 * @property {number} height of a tile, in numbers
 * @property {number} width of a tile, in numbers
 * @property {number} [length] how many numbers there are, where the last row is not full
 * @property {number} across tiles in a row; 0: as many as fit
 * @property {boolean} signed
 * @property {import("./scales.js").Span} [span] that of all tiles together, where these aren't all
 * @property {number} group how many neighbouring tiles share a colour scale
 * @property {(tile: number, y: number, x: number) => string} where the place in words
 * @property {{y: number, x: number, height: number, width: number} | null} [marked] a rectangle
 *   within the first tile, which may stick out of it
 * @property {number} [filled] only so many numbers are there yet
 * @property {boolean} [steered] whether the arrow keys move something else than the cursor
 */

const LARGEST = 28;
const CANVAS_LIMIT = 8192;

export class NumberGrid extends HTMLElement {
  /** @type {Numbers | null} */
  #numbers = null;
  /** @type {number | null} */
  #zoom = null;
  /** @type {{tile: number, y: number, x: number} | null} */
  #at = null;

  connectedCallback() {
    this.room = /** @type {HTMLElement} */ (this.querySelector(".room"));
    this.canvas = /** @type {HTMLCanvasElement} */ (this.querySelector("canvas"));
    this.slider = /** @type {HTMLInputElement | null} */ (this.querySelector("input[type=range]"));
    this.canvas.addEventListener("pointermove", (event) => this.#point(event));
    this.canvas.addEventListener("pointerdown", (event) => this.#point(event));
    this.canvas.addEventListener("pointerleave", () => {
      this.#read(null);
      this.paint();
    });
    this.canvas.addEventListener("click", () => this.#choose());
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
    this.slider?.addEventListener("input", () => {
      this.#zoom = Number(this.slider?.value);
      this.paint();
    });
    document.addEventListener("themechange", () => this.paint());
    new ResizeObserver(() => this.paint()).observe(this.room);
  }

  /** @param {Numbers | null} numbers */
  show(numbers) {
    const other = numbers?.count !== this.#numbers?.count || numbers?.width !== this.#numbers?.width;
    if (other) this.#zoom = null;
    this.#numbers = numbers;
    this.hidden = !numbers;
    this.#read(this.#at);
    this.paint();
  }

  paint() {
    const numbers = this.#numbers;
    const tiling = this.#tiling();
    if (!numbers) this.#picture = null;
    if (!numbers || !tiling || !this.canvas) return;
    const { width, height } = extent(tiling);
    const density = Math.min(devicePixelRatio, CANVAS_LIMIT / Math.max(width, height));
    const picture = this.#blank(Math.round(width * density), Math.round(height * density));
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    const channels = Array.from({ length: numbers.count }, (_, tile) => tile);
    paintTiles(
      new Uint32Array(picture.data.buffer), this.canvas.width, tiling, density,
      numbers, channels, this.#spans(numbers), () => colors(numbers.signed),
    );
    context.putImageData(picture, 0, 0);
    this.#clearRest(context, tiling, density);
    if (numbers.marked) this.#frame(context, tiling, density, { tile: 0, ...numbers.marked });
    if (this.#at) this.#frame(context, tiling, density, { ...this.#at, height: 1, width: 1 });
    this.#paintLegend(numbers);
  }

  /** @type {ImageData | null} */
  #picture = null;

  /**
   * An empty picture as large as the canvas then is: that of the last time, if it fits, since new
   * ones, some megabytes each, would pile up until the browser cleans up.
   * @param {number} width
   * @param {number} height
   */
  #blank(width, height) {
    const { canvas } = this;
    if (canvas && (canvas.width !== width || canvas.height !== height)) Object.assign(canvas, { width, height });
    if (this.#picture?.width === width && this.#picture.height === height) this.#picture.data.fill(0);
    else this.#picture = new ImageData(width, height);
    return this.#picture;
  }

  /**
   * Leave blank what isn't there yet.
   * @param {CanvasRenderingContext2D} context
   * @param {import("./tiling.js").Tiling} tiling
   * @param {number} density
   */
  #clearRest(context, tiling, density) {
    const { filled, width, height } = /** @type {Numbers} */ (this.#numbers);
    if (filled === undefined) return;
    const zoom = (tiling.width / width) * density;
    const [row, column] = [Math.floor(filled / width), filled % width];
    context.clearRect(column * zoom, row * zoom, (width - column) * zoom, zoom);
    context.clearRect(0, (row + 1) * zoom, width * zoom, (height - row - 1) * zoom);
  }

  /** @param {Numbers} numbers */
  #paintLegend(numbers) {
    const legend = this.querySelector(".scale");
    const ramp = legend?.querySelector(".ramp");
    if (!legend || !ramp) return;
    const { low, high } = this.#spans(numbers)(0);
    const shared = numbers.group >= numbers.count;
    const [from, to] = shared ? [format(low), format(high)] : [numbers.signed ? "−" : "0", "own scales"];
    legend.setAttribute("aria-label", `Colour scale from ${from} to ${to}`);
    [...legend.querySelectorAll("i")].forEach((end, place) => (end.textContent = [from, to][place]));
    ramp.setAttribute("data-scale", numbers.signed ? "diverging" : "sequential");
  }

  /**
   * @param {Numbers} numbers
   * @returns {(tile: number) => import("./scales.js").Span}
   */
  #spans({ data, signed, group, count, span, width, height }) {
    if (span && group >= count) return () => span;
    const size = width * height * group;
    const spans = Array.from({ length: Math.ceil(data.length / size) }, (_, place) =>
      spanOf(data, signed, place * size, Math.min(data.length, (place + 1) * size)),
    );
    return (tile) => spans[Math.floor(tile / group)];
  }

  #tiling() {
    const numbers = this.#numbers;
    const room = this.room;
    if (!numbers || !room || room.clientWidth === 0) return null;
    const gap = numbers.count > 1 ? GAP : 0;
    const zoom = this.#zoom ?? this.#fitting(numbers, room, gap);
    if (this.slider) this.slider.value = String(zoom);
    const [width, height] = [numbers.width * zoom, numbers.height * zoom];
    const fit = Math.max(1, Math.floor((room.clientWidth + gap) / (width + gap)));
    const across = numbers.across || Math.min(fit, numbers.count);
    return { across, shown: numbers.count, width, height, gap, margin: 0 };
  }

  /**
   * The largest whole number of pixels per number with which everything fits the room.
   * @param {Numbers} numbers
   * @param {HTMLElement} room
   * @param {number} gap
   */
  #fitting(numbers, room, gap) {
    for (let zoom = LARGEST; zoom > 1; zoom--) {
      const [width, height] = [numbers.width * zoom + gap, numbers.height * zoom + gap];
      const across = numbers.across || Math.floor((room.clientWidth + gap) / width);
      const rows = Math.ceil(numbers.count / Math.max(1, across));
      const fits = across * width - gap <= room.clientWidth && rows * height - gap <= room.clientHeight;
      if (across >= 1 && fits) return zoom;
    }
    return numbers.count > 1 && numbers.width <= LARGEST ? ZOOM : 1;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {import("./tiling.js").Tiling} tiling
   * @param {number} density
   * @param {{tile: number, y: number, x: number, height: number, width: number}} box in numbers
   */
  #frame(context, tiling, density, { tile, y, x, height, width }) {
    const numbers = this.#numbers;
    if (!numbers || tile >= numbers.count) return;
    const { left, top } = origin(tiling, tile);
    const zoom = tiling.width / numbers.width;
    const box = /** @type {const} */ ([left + x * zoom, top + y * zoom, width * zoom, height * zoom]);
    const style = getComputedStyle(this);
    // The paper's colour around the frame, which would be lost in a map of its own.
    for (const [name, thickness] of /** @type {const} */ ([["--surface", 5], ["--warm", 2]])) {
      context.strokeStyle = style.getPropertyValue(name).trim();
      context.lineWidth = thickness * density;
      context.strokeRect(box[0] * density, box[1] * density, box[2] * density, box[3] * density);
    }
  }

  /** @param {PointerEvent} event */
  #point(event) {
    const numbers = this.#numbers;
    const tiling = this.#tiling();
    if (!numbers || !tiling) return;
    const [left, top] = [event.offsetX, event.offsetY];
    const column = Math.floor(left / (tiling.width + tiling.gap));
    const row = Math.floor(top / (tiling.height + tiling.gap));
    const tile = row * tiling.across + column;
    const zoom = tiling.width / numbers.width;
    const x = Math.floor((left - column * (tiling.width + tiling.gap)) / zoom);
    const y = Math.floor((top - row * (tiling.height + tiling.gap)) / zoom);
    const inside = tile >= 0 && tile < numbers.count && x >= 0 && x < numbers.width && y >= 0 && y < numbers.height;
    this.#read(inside ? { tile, y, x } : null);
    this.paint();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const numbers = this.#numbers;
    const step = ARROWS.get(event.key);
    if (event.key === "Enter" && this.#at) this.#choose();
    if (!numbers || !step || numbers.steered) return;
    event.preventDefault();
    const { tile, y, x } = this.#at ?? { tile: 0, y: 0, x: -step[0] };
    const next = moved({ tile, y, x }, step, numbers, this.#tiling()?.across ?? 1);
    if (next) this.#read(next);
    this.paint();
  }

  #choose() {
    if (!this.#at) return;
    this.dispatchEvent(new CustomEvent("choose", { detail: { ...this.#at } }));
  }

  /** @param {{tile: number, y: number, x: number} | null} at */
  #read(at) {
    this.#at = at;
    const output = this.querySelector("output");
    const numbers = this.#numbers;
    if (!output) return;
    const index = at && numbers ? (at.tile * numbers.height + at.y) * numbers.width + at.x : -1;
    const known = at && numbers && index < (numbers.length ?? numbers.data.length);
    output.replaceChildren();
    if (!known) {
      output.textContent = output.dataset.hint ?? "";
      return;
    }
    const value = document.createElement("b");
    value.textContent = format(numbers.data[index]);
    value.title = String(numbers.data[index]);
    output.append(`${numbers.where(at.tile, at.y, at.x)} `, value);
  }
}

const ARROWS = new Map([
  ["ArrowLeft", [-1, 0]],
  ["ArrowRight", [1, 0]],
  ["ArrowUp", [0, -1]],
  ["ArrowDown", [0, 1]],
]);

/**
 * One number further, into the neighbouring tile at a border; null at the end.
 * @param {{tile: number, y: number, x: number}} at
 * @param {number[]} step
 * @param {Numbers} numbers
 * @param {number} across
 */
function moved({ tile, y, x }, [dx, dy], { width, height, count }, across) {
  x += dx;
  y += dy;
  if (x < 0 || x >= width) {
    tile += dx;
    x = x < 0 ? width - 1 : 0;
  }
  if (y < 0 || y >= height) {
    tile += dy * across;
    y = y < 0 ? height - 1 : 0;
  }
  return tile >= 0 && tile < count ? { tile, y, x } : null;
}

customElements.define("number-grid", NumberGrid);
