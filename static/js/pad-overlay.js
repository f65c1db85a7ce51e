// What a unit sees of the drawing, over the drawing: a frame, and how strongly each pixel counts.

/** @typedef {{top: number, left: number, height: number, width: number}} Box */
/** @typedef {{top: number, left: number, scale_y: number, scale_x: number}} Placement */
/** @typedef {{width: number, height: number}} Size */

// The warm colour of either theme is close to it.
const WARM = [201, 101, 15];
const STRONGEST = 220;

export class PadOverlay extends HTMLElement {
  connectedCallback() {
    this.frame = /** @type {HTMLElement} */ (this.querySelector(".field"));
    this.canvas = /** @type {HTMLCanvasElement} */ (this.querySelector("canvas"));
  }

  /**
   * Frame the part of the drawing that a unit sees.
   * @param {Box | null} box in pixels of the network's input; null takes the frame away
   * @param {Placement | null} placement of that input in the picture
   * @param {Size} size of the picture
   */
  mark(box, placement, size) {
    const frame = /** @type {HTMLElement} */ (this.frame);
    frame.hidden = !box || !placement;
    if (box && placement) lay(frame, box, placement, size);
  }

  /**
   * Show how strongly each pixel of the network's input changes a number.
   * @param {import("./safetensors.js").Tensor | null} strengths (height, width), none negative
   * @param {Placement | null} placement
   * @param {Size} size
   */
  shade(strengths, placement, size) {
    const canvas = /** @type {HTMLCanvasElement} */ (this.canvas);
    canvas.hidden = !strengths || !placement;
    if (!strengths || !placement) return;
    const [height, width] = strengths.shape;
    [canvas.width, canvas.height] = [width, height];
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const picture = context.createImageData(width, height);
    const values = Array.from(strengths.data);
    const largest = values.reduce((most, one) => Math.max(most, one), 0) || 1;
    values.forEach((strength, at) => {
      picture.data.set([...WARM, Math.round((STRONGEST * strength) / largest)], at * 4);
    });
    context.putImageData(picture, 0, 0);
    lay(canvas, { top: 0, left: 0, height, width }, placement, size);
  }
}

/**
 * Put an element where a part of the network's input lies on the pad, on which the picture lies in
 * the middle, as large as it fits.
 * @param {HTMLElement} element
 * @param {Box} box
 * @param {Placement} placement
 * @param {Size} size
 */
function lay(element, box, placement, { width, height }) {
  const scale = 100 / Math.max(width, height);
  const [right, down] = [50 - (width * scale) / 2, 50 - (height * scale) / 2];
  const place = {
    top: down + (placement.top + box.top * placement.scale_y) * scale,
    left: right + (placement.left + box.left * placement.scale_x) * scale,
    height: box.height * placement.scale_y * scale,
    width: box.width * placement.scale_x * scale,
  };
  for (const [name, share] of Object.entries(place)) element.style.setProperty(name, `${share}%`);
}

customElements.define("pad-overlay", PadOverlay);
