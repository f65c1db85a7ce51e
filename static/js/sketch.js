// A drawing as what was done, so that everything can be undone. Coordinates are in a square of
// SIDE; nothing here touches the page.

export const SIDE = 280;

/** @typedef {[number, number]} Point */
/** @typedef {{kind: "stroke", points: Point[], width: number, erase: boolean}} Stroke */
/** @typedef {{kind: "picture", bitmap: ImageBitmap, image: string, drawing: boolean}} Picture */
/** @typedef {Stroke | Picture | {kind: "clear"}} Act */

export class Sketch {
  /** @type {Act[]} */
  #acts = [];
  /** @type {number[]} where in them each step begins; a step is undone as a whole */
  #steps = [];

  /**
   * @param {number} width
   * @param {boolean} erase
   * @param {Point} point
   * @param {"alone" | "anew" | "joined"} [step] `anew` takes the place of what is there; `joined` is
   *   undone together with the stroke before
   * @returns {Stroke}
   */
  begin(width, erase, point, step = "alone") {
    if (step !== "joined") this.#steps.push(this.#acts.length);
    // A photo is explained as it is; whoever draws over it begins a drawing of their own.
    const photo = this.picture && !this.picture.drawing;
    if (photo || (step === "anew" && !this.empty)) this.#acts.push({ kind: "clear" });
    /** @type {Stroke} */
    const stroke = { kind: "stroke", points: [point], width, erase };
    this.#acts.push(stroke);
    return stroke;
  }

  /** @param {Picture} picture */
  show(picture) {
    this.#take(picture);
  }

  clear() {
    if (!this.empty) this.#take({ kind: "clear" });
  }

  /** @param {Act} act a step of its own */
  #take(act) {
    this.#steps.push(this.#acts.length);
    this.#acts.push(act);
  }

  /** @returns {boolean} whether there was anything to undo */
  undo() {
    const start = this.#steps.pop();
    if (start === undefined) return false;
    this.#acts.length = start;
    return true;
  }

  get undoable() {
    return this.#steps.length > 0;
  }

  /** What is seen: what came after the last clear or picture, that picture included. */
  get visible() {
    const last = this.#acts.findLastIndex((act) => act.kind !== "stroke");
    return this.#acts.slice(this.#acts[last]?.kind === "picture" ? last : last + 1);
  }

  /** The picture below the strokes, if any. */
  get picture() {
    const [first] = this.visible;
    return first?.kind === "picture" ? first : null;
  }

  /** @returns {Stroke[]} */
  get strokes() {
    return this.visible.filter((act) => act.kind === "stroke");
  }

  /** Whether nothing is drawn; a lone eraser draws nothing. */
  get empty() {
    return !this.picture && this.strokes.every((stroke) => stroke.erase);
  }
}
