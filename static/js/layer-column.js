// One layer as a column: its maps as tiles, and over each tile a button, so that mouse, finger,
// keyboard and screen reader all reach it. What it paints goes to the one canvas of all columns.

import { mostInColumn } from "./looking.js";
import { devicePixels, paintFrame, paintTiles } from "./painting.js";
import { format, palette, spanOf } from "./scales.js";
import { colors, lineColor } from "./theme.js";
import { extent, origin, strongest, tile } from "./tiling.js";

/** @typedef {import("./safetensors.js").Tensor} Tensor */

// A layer without maps is shown as one map, folded into rows of so many units, or of more where it
// would be higher than so many times its width.
const FOLD = 12;
const FEW = 24;
const SLENDER = 8;

/**
 * How a layer's numbers lie: so many maps of such a size.
 * @param {number[]} shape without the batch
 */
export function grid(shape) {
  if (shape.length === 3) return { count: shape[0], height: shape[1], width: shape[2] };
  const width = shape[0] <= FEW ? 1 : Math.max(FOLD, Math.ceil(Math.sqrt(shape[0] / SLENDER)));
  return { count: 1, height: Math.ceil(shape[0] / width), width };
}

/**
 * For a picture in colour, each channel as what it is: red, green or blue light of 0..1, which
 * became (light - mean) / std.
 * @param {DOMStringMap} data
 */
function lightsOf({ mean, std }) {
  const [means, stds] = [mean ?? "", std ?? ""].map((list) => list.split(",").map(Number));
  if (means.length !== 3) return null;
  return ["#ff0000", "#00ff00", "#0000ff"].map((color, channel) => ({
    low: -means[channel] / stds[channel],
    high: (1 - means[channel]) / stds[channel],
    colors: palette(["#000000", color]),
  }));
}

export class LayerColumn extends HTMLElement {
  /** @type {Tensor | null} */
  #tensor = null;
  /** @type {import("./tiling.js").Tiling | null} */
  #tiling = null;
  /** @type {number[]} */
  channels = [];
  #scale = "map";

  // What the server has said of the layer; the markup is there before the element is.
  shape = (this.dataset.shape ?? "").split(",").map(Number);
  signed = this.hasAttribute("data-signed");
  lights = lightsOf(this.dataset);
  grid = grid(this.shape);
  room = /** @type {HTMLElement} */ (this.querySelector(".maps"));
  #tiles = /** @type {HTMLElement} */ (this.querySelector(".tiles"));

  connectedCallback() {
    this.#tiles.addEventListener("keydown", (event) => this.#key(event));
  }

  /**
   * @param {Tensor | null} tensor the layer's activations; null empties the column
   * @param {"map" | "layer"} scale
   */
  show(tensor, scale) {
    this.#tensor = tensor;
    this.#scale = scale;
  }

  /**
   * Paint the maps, or only their frames while there are none.
   * @param {CanvasRenderingContext2D} context
   * @param {number} left where the column begins, in the canvas's pixels
   * @param {number} density of those, per pixel of the page
   */
  paint(context, left, density) {
    const tiling = this.#tiling;
    if (!tiling) return;
    const { width, height } = extent(tiling);
    const picture = this.#blank(Math.ceil(width * density), Math.ceil(height * density));
    const pixels = new Uint32Array(picture.data.buffer);
    if (this.#tensor) this.#paintTiles(pixels, picture.width, tiling, density, this.#tensor);
    else this.#describe(null);
    for (let place = 0; place < tiling.shown; place++) {
      paintFrame(pixels, picture.width, devicePixels(tiling, place, density), lineColor());
    }
    context.putImageData(picture, left, 0);
  }

  /** @type {ImageData | null} */
  #picture = null;

  /**
   * The picture of the last time, which is painted over wherever there is anything to see.
   * @param {number} width
   * @param {number} height
   */
  #blank(width, height) {
    const fits = this.#picture?.width === width && this.#picture.height === height;
    if (!this.#picture || !fits || !this.#tensor) this.#picture = new ImageData(width, height);
    return this.#picture;
  }

  /**
   * @param {Uint32Array} pixels
   * @param {number} stride
   * @param {import("./tiling.js").Tiling} tiling
   * @param {number} density
   * @param {Tensor} tensor
   */
  #paintTiles(pixels, stride, tiling, density, { data, picked }) {
    const { count, width: columns, height: rows } = this.grid;
    const maps = picked
      ? picked.channels.slice(0, tiling.shown).map((_, place) => place)
      : strongest(data, count, tiling.shown);
    this.#label(picked ? maps.map((place) => picked.channels[place]) : maps);
    const { signed, lights } = this;
    const whole = spanOf(picked ? [picked.smallest, picked.largest] : data, signed);
    const size = columns * rows;
    const span = (/** @type {number} */ map) =>
      this.#scale === "layer" ? whole : spanOf(data, signed, map * size, Math.min(data.length, (map + 1) * size));
    const layer = { data, width: columns, height: rows };
    const scale = (/** @type {number} */ map) => lights?.[map] ?? span(map);
    const paint = (/** @type {number} */ map) => lights?.[map].colors ?? colors(signed);
    paintTiles(pixels, stride, tiling, density, layer, maps, scale, paint);
    this.#describe(whole);
  }

  /** Give back what painting takes, while nobody sees it. */
  rest() {
    this.#picture = null;
  }

  /** @param {import("./scales.js").Span | null} span */
  #describe(span) {
    const text = this.querySelector(".range");
    if (!text) return;
    const shown = this.lights ? "red, green, blue" : span ? `${this.signed ? "±" : "≤ "}${span.high.toPrecision(3)}` : "";
    if (text.textContent === shown) return;
    text.textContent = shown;
    text.setAttribute("title", span ? `largest size: ${format(span.high)}` : "");
  }

  /** How many maps there are, and how many of them have a tile. */
  get look() {
    return { name: this.dataset.name ?? "", count: this.grid.count, shown: this.#tiling?.shown ?? 0 };
  }

  /**
   * Choose the tiles' size for the room that there is now.
   * @param {boolean} large whether the network is, so that a column has but some of its maps
   */
  layOut(large) {
    const box = { width: this.room.clientWidth, height: this.room.clientHeight };
    if (box.width === 0) return;
    this.#picture = null;
    const { count, width, height } = this.grid;
    this.#tiling = tile(large ? Math.min(count, mostInColumn(width * height)) : count, this.grid, box);
    this.#tiles.style.setProperty("width", `${extent(this.#tiling).width}px`);
    this.#makeTiles();
  }

  #makeTiles() {
    const tiling = /** @type {import("./tiling.js").Tiling} */ (this.#tiling);
    const buttons = Array.from({ length: tiling.shown }, (_, place) => {
      const button = document.createElement("button");
      const { left, top } = origin(tiling, place);
      button.type = "button";
      button.tabIndex = place === 0 ? 0 : -1;
      button.style.cssText = `left:${left}px;top:${top}px;width:${tiling.width}px;height:${tiling.height}px`;
      return button;
    });
    this.#tiles.replaceChildren(...buttons);
    this.channels = [];
    this.#label(buttons.map((_, place) => place));
    this.#sayHowMany(tiling.shown);
  }

  /** @param {number} shown */
  #sayHowMany(shown) {
    const more = this.querySelector(".more");
    const { count } = this.grid;
    if (!(more instanceof HTMLElement)) return;
    more.hidden = shown >= count;
    more.textContent = `${shown} of ${count}`;
  }

  /** @param {number[]} channels */
  #label(channels) {
    const same = channels.length === this.channels.length && channels.every((c, i) => c === this.channels[i]);
    if (same) return;
    this.channels = channels;
    [...this.#tiles.children].forEach((button, place) => {
      const channel = channels[place];
      button.toggleAttribute("hidden", channel === undefined);
      const what = this.shape.length === 3 ? `channel ${channel}` : `${this.shape[0]} units`;
      button.setAttribute("data-channel", String(channel));
      button.setAttribute("aria-label", `${this.dataset.name}, ${what}`);
    });
    this.mark(this.#marked);
  }

  /** @type {number | null} */
  #marked = null;

  /**
   * Mark the chosen channel, or none.
   * @param {number | null} channel
   */
  mark(channel) {
    this.#marked = channel;
    for (const button of this.#tiles.children) {
      const chosen = channel !== null && button.getAttribute("data-channel") === String(channel);
      button.setAttribute("aria-pressed", String(chosen));
    }
  }

  /**
   * Light the maps that have to do with the one under the pointer.
   * @param {((channel: number) => boolean) | null} related
   */
  light(related) {
    for (const button of this.#tiles.children) {
      const lit = related?.(Number(button.getAttribute("data-channel"))) ?? false;
      button.toggleAttribute("data-lit", lit);
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const buttons = [...this.#tiles.children];
    const place = buttons.indexOf(/** @type {Element} */ (event.target));
    const across = this.#tiling?.across ?? 1;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    const next = buttons[place + (step ?? NaN)];
    if (!(next instanceof HTMLElement)) return;
    event.preventDefault();
    buttons.forEach((button) => button.setAttribute("tabindex", "-1"));
    next.tabIndex = 0;
    next.focus();
  }
}

customElements.define("layer-column", LayerColumn);
