// The pad: mouse, pen, finger or keyboard. It keeps two canvases: the one that is seen, in the
// page's own colours, and the one that is sent, ink 255 on paper 0.

import { EXAMPLES } from "./examples.js";
import { SIDE, Sketch } from "./sketch.js";

/** @typedef {import("./sketch.js").Point} Point */
/** @typedef {import("./sketch.js").Stroke} Stroke */

const REPLAY_MS = 420;
const KEY_STEP = 7;
// The other end of a pen, as pointer events tell of it.
const ERASER = { button: 5, buttons: 32 };

export class DrawingPad extends HTMLElement {
  #sketch = new Sketch();
  /** @type {Stroke | null} */
  #stroke = null;
  /** @type {Point} */
  #cursor = [SIDE / 2, SIDE / 2];
  #replay = 0;
  width = 22;
  erasing = false;

  connectedCallback() {
    this.seen = /** @type {HTMLCanvasElement} */ (this.querySelector("canvas"));
    this.sent = new OffscreenCanvas(SIDE, SIDE);
    this.seen.addEventListener("pointerdown", (event) => this.#down(event));
    this.seen.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      this.seen.addEventListener(end, (event) => this.#up(/** @type {PointerEvent} */ (event)));
    }
    this.seen.addEventListener("keydown", (event) => this.#key(event));
    this.seen.addEventListener("blur", () => this.paint());
    this.seen.addEventListener("focus", () => this.paint());
    new ResizeObserver(() => this.paint()).observe(this.seen);
  }

  /** The drawing as grey bytes, ink 255 on paper 0, SIDE x SIDE; null while nothing is drawn. */
  get bytes() {
    if (this.#sketch.empty) return null;
    const { data } = this.#sentContext().getImageData(0, 0, SIDE, SIDE);
    const grey = new Uint8Array(SIDE * SIDE);
    for (let at = 0; at < grey.length; at++) grey[at] = data[at * 4];
    return grey;
  }

  /** The id of the picture that is shown as it is, without strokes over it. */
  get image() {
    return this.#sketch.strokes.length ? null : (this.#sketch.picture?.image ?? null);
  }

  get empty() {
    return this.#sketch.empty;
  }

  get undoable() {
    return this.#sketch.undoable;
  }

  undo() {
    this.#stop();
    if (this.#sketch.undo()) this.#changed(true);
  }

  clear() {
    this.#stop();
    this.#sketch.clear();
    this.#changed(true);
  }

  /**
   * Show a kept picture. One of the pad's own size is a drawing, and can be drawn on.
   * @param {ImageBitmap} bitmap
   * @param {string} image its id
   */
  show(bitmap, image) {
    this.#stop();
    const drawing = bitmap.width === SIDE && bitmap.height === SIDE;
    this.#sketch.show({ kind: "picture", bitmap, image, drawing });
    this.#changed(true);
  }

  /**
   * Replay an example as if it were drawn now; all of it is undone at once.
   * @param {number} digit
   */
  replay(digit) {
    this.#stop();
    const points = EXAMPLES[digit].flatMap((line, stroke) =>
      smooth(line).map((point) => ({ stroke, point })),
    );
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const start = performance.now();
    let drawn = 0;
    let current = -1;
    const advance = (/** @type {number} */ now) => {
      const due = still ? points.length : Math.ceil(((now - start) / REPLAY_MS) * points.length);
      for (; drawn < Math.min(due, points.length); drawn++) {
        const { stroke, point } = points[drawn];
        const step = current < 0 ? "anew" : "joined";
        if (stroke !== current) this.#stroke = this.#sketch.begin(22, false, point, step);
        else this.#stroke?.points.push(point);
        current = stroke;
      }
      const done = drawn >= points.length;
      if (done) this.#stroke = null;
      else this.#replay = requestAnimationFrame(advance);
      this.#changed(done);
    };
    this.#replay = requestAnimationFrame(advance);
  }

  /** The size of the picture that the server is sent, in its own pixels. */
  get size() {
    return this.#sketch.picture?.bitmap ?? { width: SIDE, height: SIDE };
  }

  /** Paint what is seen, in the page's colours of now. */
  paint() {
    const seen = /** @type {HTMLCanvasElement} */ (this.seen);
    const side = Math.round(seen.clientWidth * devicePixelRatio);
    if (side === 0) return;
    if (seen.width !== side) seen.width = seen.height = side;
    const context = /** @type {CanvasRenderingContext2D} */ (seen.getContext("2d"));
    const ink = getComputedStyle(this).getPropertyValue("--ink").trim();
    context.clearRect(0, 0, side, side);
    context.save();
    context.scale(side / SIDE, side / SIDE);
    this.#draw(context, ink, "destination-out");
    context.restore();
    if (seen.matches(":focus-visible")) this.#drawCursor(context, side);
  }

  /** @type {number | null} the pointer that draws: a palm or a second finger doesn't */
  #pointer = null;

  /**
   * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context
   * @param {string} ink
   * @param {GlobalCompositeOperation} erasing how the eraser paints
   */
  #draw(context, ink, erasing) {
    const picture = this.#sketch.picture;
    if (picture) this.#drawPicture(context, picture, ink);
    for (const stroke of this.#sketch.strokes) {
      context.globalCompositeOperation = stroke.erase ? erasing : "source-over";
      trace(context, stroke, stroke.erase ? "#000" : ink);
    }
    context.globalCompositeOperation = "source-over";
  }

  /**
   * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context
   * @param {import("./sketch.js").Picture} picture
   * @param {string} ink
   */
  #drawPicture(context, { bitmap, drawing }, ink) {
    const scale = SIDE / Math.max(bitmap.width, bitmap.height);
    const [width, height] = [bitmap.width * scale, bitmap.height * scale];
    const box = /** @type {const} */ ([(SIDE - width) / 2, (SIDE - height) / 2, width, height]);
    if (!drawing || context.canvas === this.sent) {
      context.drawImage(bitmap, ...box);
      return;
    }
    // A drawing is kept as light ink on black; here it takes the page's own ink.
    context.drawImage(inked(bitmap, ink), ...box);
  }

  #sentContext() {
    const sent = /** @type {OffscreenCanvas} */ (this.sent);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
      sent.getContext("2d", { willReadFrequently: true })
    );
    context.fillStyle = "#000";
    context.fillRect(0, 0, SIDE, SIDE);
    this.#draw(context, "#fff", "source-over");
    return context;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} side
   */
  #drawCursor(context, side) {
    const [x, y] = this.#cursor.map((part) => (part * side) / SIDE);
    const radius = (this.width * side) / SIDE / 2;
    context.lineWidth = 2 * devicePixelRatio;
    context.strokeStyle = getComputedStyle(this).getPropertyValue("--warm").trim();
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    if (this.#stroke) context.fill();
    context.stroke();
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0 && event.button !== ERASER.button) return;
    if (this.#pointer !== null && event.pointerId !== this.#pointer) return;
    this.#stop();
    this.#pointer = event.pointerId;
    this.seen?.setPointerCapture(event.pointerId);
    const erase = this.erasing || (event.buttons & ERASER.buttons) !== 0;
    this.#stroke = this.#sketch.begin(this.width, erase, this.#place(event));
    this.#changed(false);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (!this.#stroke || event.pointerId !== this.#pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length ? events : [event]) this.#stroke.points.push(this.#place(one));
    this.#changed(false);
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = null;
    this.#stroke = null;
    this.#tell(true, false);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const [dx, dy] = ARROWS.get(event.key) ?? [0, 0];
    if (event.key === " ") this.#togglePen();
    else if (!dx && !dy) return;
    event.preventDefault();
    const step = event.shiftKey ? KEY_STEP * 3 : KEY_STEP;
    const [x, y] = this.#cursor;
    this.#cursor = [clamp(x + dx * step), clamp(y + dy * step)];
    if (this.#stroke && (dx || dy)) this.#stroke.points.push(this.#cursor);
    if (this.#stroke) this.#changed(false);
    else this.paint();
  }

  #togglePen() {
    if (this.#stroke) {
      this.#stroke = null;
      this.paint();
      this.#tell(true, false);
    } else {
      this.#stroke = this.#sketch.begin(this.width, this.erasing, this.#cursor);
      this.#changed(false);
    }
  }

  #stop() {
    cancelAnimationFrame(this.#replay);
    this.#stroke = null;
    this.#pointer = null;
  }

  /**
   * @param {PointerEvent} event
   * @returns {Point}
   */
  #place(event) {
    const box = /** @type {HTMLCanvasElement} */ (this.seen).getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * SIDE,
      ((event.clientY - box.top) / box.height) * SIDE,
    ];
  }

  /** @param {boolean} done whether a stroke or a change has ended */
  #changed(done) {
    this.paint();
    this.#tell(done, true);
  }

  /**
   * @param {boolean} done
   * @param {boolean} changed whether the drawing is another now
   */
  #tell(done, changed) {
    this.dispatchEvent(new CustomEvent("draw", { bubbles: true, detail: { done, changed } }));
  }
}

/** What each arrow key adds to x and to y. */
export const ARROWS = new Map([
  ["ArrowLeft", [-1, 0]],
  ["ArrowRight", [1, 0]],
  ["ArrowUp", [0, -1]],
  ["ArrowDown", [0, 1]],
]);

const clamp = (/** @type {number} */ value) => Math.min(SIDE, Math.max(0, value));

/**
 * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context
 * @param {Stroke} stroke
 * @param {string} color
 */
function trace(context, stroke, color) {
  context.strokeStyle = color;
  context.lineWidth = stroke.width;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  const [[x, y], ...rest] = stroke.points;
  context.moveTo(x, y);
  // A line of no length at all would be left out, and a tap would draw nothing.
  if (!rest.length) context.lineTo(x + 0.01, y);
  for (const point of rest) context.lineTo(...point);
  context.stroke();
}

/**
 * A light-on-black picture as ink of one colour on nothing.
 * @param {ImageBitmap} bitmap
 * @param {string} ink
 */
function inked(bitmap, ink) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.drawImage(bitmap, 0, 0);
  const picture = context.getImageData(0, 0, bitmap.width, bitmap.height);
  for (let at = 0; at < picture.data.length; at += 4) picture.data[at + 3] = picture.data[at];
  context.putImageData(picture, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = ink;
  context.fillRect(0, 0, bitmap.width, bitmap.height);
  return canvas;
}

/**
 * Points of a Catmull-Rom spline through the given ones (Catmull and Rom, 1974).
 * @param {Point[]} points
 * @returns {Point[]}
 */
function smooth(points) {
  const STEPS = 6;
  /** @type {Point[]} */
  const line = [points[0]];
  for (let i = 0; i + 1 < points.length; i++) {
    const [a, b, c, d] = [points[i - 1] ?? points[i], points[i], points[i + 1], points[i + 2] ?? points[i + 1]];
    for (let step = 1; step <= STEPS; step++) {
      const t = step / STEPS;
      const at = (/** @type {0 | 1} */ axis) =>
        0.5 *
        (2 * b[axis] +
          (c[axis] - a[axis]) * t +
          (2 * a[axis] - 5 * b[axis] + 4 * c[axis] - d[axis]) * t ** 2 +
          (3 * b[axis] - a[axis] - 3 * c[axis] + d[axis]) * t ** 3);
      line.push([at(0), at(1)]);
    }
  }
  return line;
}

customElements.define("drawing-pad", DrawingPad);
