// The numbers of a channel as fields to type in: a kernel of a filter, a weight of a linear layer or
// a batch norm, and the bias.

import { namedKernels } from "./kernels.js";
import { readNpy } from "./npy.js";
import { Refusal, request } from "./request.js";

/** @typedef {import("./map-inspector.js").Layer} Layer */
/** @typedef {Record<string, unknown>} Edit as POST /api/v1/models/{model}/edits takes it */

const AS_IT_IS = "as it is";
const TYPED = "a kernel typed in";

export class WeightFields extends HTMLElement {
  /** How often other numbers were asked for: those that come late aren't shown. */
  #turn = 0;
  /** @type {Layer | undefined} the one whose numbers are shown */
  layer;
  /** @type {number | undefined} */
  channel;
  #asked = "";
  /** @type {number[]} the kernel's numbers as they are in the model */
  #known = [];
  /** @type {import("./safetensors.js").Tensor | null} of the channel: (inputs, height, width), (inputs) or () */
  #weights = null;
  /** @type {number | null} */
  #bias = null;
  /** What was typed and not yet set: it stays when other numbers of the same channel come. */
  #unset = { weights: false, bias: false };

  connectedCallback() {
    this.input = /** @type {HTMLInputElement} */ (this.querySelector(".fields-input input"));
    this.all = /** @type {HTMLInputElement} */ (this.querySelector(".fields-all input"));
    this.fill = /** @type {HTMLSelectElement} */ (this.querySelector(".fields-fill select"));
    this.grid = /** @type {HTMLElement} */ (this.querySelector(".fields-grid"));
    this.bias = /** @type {HTMLInputElement} */ (this.querySelector(".fields-bias input"));
    for (const field of [this.input, this.all]) {
      field.addEventListener("change", () => {
        this.#unset.weights = false;
        this.#show();
      });
    }
    this.bias.addEventListener("input", () => (this.#unset.bias = true));
    this.fill.addEventListener("change", () => this.#fillIn());
    this.grid.addEventListener("input", () => this.#typed());
    this.querySelector(".fields-weights")?.addEventListener("submit", (event) => this.#setWeights(event));
    this.querySelector(".fields-bias")?.addEventListener("submit", (event) => this.#setBias(event));
  }

  /**
   * @param {string} model
   * @param {Layer} layer one with weights
   * @param {number} channel
   */
  async show(model, layer, channel) {
    const base = `/api/v1/models/${encodeURIComponent(model)}/layers/${encodeURIComponent(layer.name)}`;
    // It is asked at every stroke, and the weights stay the same.
    if (this.#asked === `${base} ${channel}`) return;
    this.#asked = `${base} ${channel}`;
    const turn = ++this.#turn;
    const other = this.layer?.name !== layer.name || this.channel !== channel;
    if (other) this.#enable(false); // What is typed before the numbers come would be lost.
    const [weights, biases] = await Promise.all([
      read(`${base}/filters.npy?channel=${channel}`), hasBiases(layer) ? read(`${base}/biases.npy`) : null,
    ]);
    if (turn !== this.#turn) return;
    this.#enable(weights !== null);
    if (!weights) this.#asked = ""; // The same channel may be asked for again.
    this.layer = layer;
    this.channel = channel;
    this.#weights = weights;
    this.#bias = biases?.data[channel] ?? null;
    if (other) this.#unset = { weights: false, bias: false };
    if (other && this.input && this.all) {
      this.input.value = "0";
      this.all.checked = this.#inputs > 1 && this.#isFilter;
    }
    this.#show();
  }

  /** @param {boolean} there whether there are numbers to change */
  #enable(there) {
    const controls = /** @type {NodeListOf<HTMLInputElement>} */ (this.querySelectorAll("input, select, button"));
    for (const control of controls) control.disabled = !there;
  }

  get #isFilter() {
    return this.#weights?.shape.length === 3;
  }

  get #inputs() {
    return this.#weights?.shape[0] ?? 1;
  }

  /** Height and width of the grid; of a layer without kernels it is one number. */
  get #size() {
    const [, height, width] = this.#weights?.shape ?? [];
    return this.#isFilter ? { height, width } : { height: 1, width: 1 };
  }

  #show() {
    const { input, all, fill, bias } = this;
    if (!input || !all || !fill || !bias || !this.#weights) return;
    const { height, width } = this.#size;
    const many = this.#inputs > 1;
    input.max = String(this.#inputs - 1);
    input.disabled = all.checked;
    this.querySelector(".fields-input")?.toggleAttribute("hidden", !many);
    this.querySelector(".fields-all")?.toggleAttribute("hidden", !many || !this.#isFilter);
    this.querySelector(".fields-fill")?.toggleAttribute("hidden", !this.#isFilter);
    const place = Math.min(this.#inputs - 1, Math.max(0, Math.trunc(Number(input.value)) || 0));
    const size = height * width;
    const data = [...this.#weights.data];
    // The kernels of all inputs are one in the form, and mostly many in the filter.
    const one = !all.checked || data.every((value, at) => value === data[at % size]);
    this.#known = one ? data.slice(all.checked ? 0 : place * size).slice(0, size) : [];
    if (!this.#unset.weights) {
      const names = [AS_IT_IS, ...namedKernels(height, width).keys(), TYPED];
      fill.replaceChildren(...names.map((name) => new Option(name)));
      this.#write(this.#known);
    }
    this.querySelector(".fields-bias")?.toggleAttribute("hidden", this.#bias === null);
    if (!this.#unset.bias) bias.value = this.#bias === null ? "" : short(this.#bias);
  }

  /** @param {number[]} numbers none leaves the fields empty */
  #write(numbers) {
    const { height, width } = this.#size;
    const fields = Array.from({ length: height * width }, (_, place) => {
      const field = document.createElement("input");
      field.type = "number";
      field.step = "any";
      field.required = true;
      field.className = "control";
      field.placeholder = "several";
      field.value = numbers.length ? short(numbers[place]) : "";
      const where = `y ${Math.floor(place / width)}, x ${place % width}`;
      field.setAttribute("aria-label", this.#isFilter ? `Weight at ${where}` : "Weight");
      return field;
    });
    this.grid?.style.setProperty("--across", String(width));
    this.grid?.replaceChildren(...fields);
  }

  #fields() {
    return /** @type {NodeListOf<HTMLInputElement>} */ (this.querySelectorAll(".fields-grid input"));
  }

  #fillIn() {
    const { height, width } = this.#size;
    const kernel = namedKernels(height, width).get(this.fill?.value ?? "");
    this.#unset.weights = !!kernel;
    if (kernel) this.#write(kernel.flat());
    else if (this.fill?.value === AS_IT_IS) this.#write(this.#known);
    else this.#fields()[0]?.focus();
  }

  #typed() {
    this.#unset.weights = true;
    if (this.fill) this.fill.value = TYPED;
  }

  /** @param {Event} event */
  #setWeights(event) {
    event.preventDefault();
    this.#unset.weights = false;
    const numbers = [...this.#fields()].map((field) => Number(field.value));
    const { width } = this.#size;
    const changed = numbers.flatMap((number, place) => (Math.fround(number) === this.#known[place] ? [] : [place]));
    if (!changed.length) return;
    const [place] = changed;
    const from = this.#weights?.shape.length && !this.all?.checked ? { input_channel: Number(this.input?.value) } : {};
    if (!this.#isFilter) this.#tell({ ...from, weight: numbers[0] });
    else if (changed.length === 1 && !this.all?.checked) {
      this.#tell({ ...from, y: Math.floor(place / width), x: place % width, weight: numbers[place] });
    } else {
      const rows = Array.from({ length: numbers.length / width }, (_, y) => numbers.slice(y * width, (y + 1) * width));
      this.#tell({ ...from, kernel: rows });
    }
  }

  /** @param {Event} event */
  #setBias(event) {
    event.preventDefault();
    this.#unset.bias = false;
    const bias = Number(this.bias?.value);
    if (Math.fround(bias) !== this.#bias) this.#tell({ bias });
  }

  /** @param {Edit} change */
  #tell(change) {
    const detail = { layer: this.layer?.name, channel: this.channel, ...change };
    this.dispatchEvent(new CustomEvent("change-weights", { bubbles: true, detail }));
  }
}

/**
 * The fewest digits that are the same 32-bit number again.
 * @param {number} value
 */
function short(value) {
  const digits = [6, 7, 8].find((count) => Math.fround(Number(value.toPrecision(count))) === Math.fround(value));
  return String(Number(value.toPrecision(digits ?? 9)));
}

/**
 * @param {string} url
 * @returns {Promise<import("./safetensors.js").Tensor | null>} null where there are no such numbers
 */
async function read(url) {
  try {
    return readNpy(await (await request(url)).arrayBuffer());
  } catch (error) {
    if (error instanceof Refusal) return null;
    throw error;
  }
}

/** @param {Layer} layer whose parameters are its weights, and its biases if it has any */
function hasBiases({ parameters, weight_shape: shape }) {
  return parameters > (shape ?? []).reduce((product, side) => product * side, 1);
}

customElements.define("weight-fields", WeightFields);
