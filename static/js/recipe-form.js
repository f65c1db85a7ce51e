// The fields of a recipe in a form: filled in, read, sent; what is refused stands beside its field.

import { Refusal, request } from "./request.js";

const recipes = JSON.parse(document.getElementById("recipes")?.textContent ?? "{}");
const refusal = /** @type {HTMLElement} */ (document.getElementById("refusal"));
const preview = /** @type {HTMLAnchorElement} */ (document.getElementById("preview"));

/** The fields that hold JSON, and what they mean when they are empty. */
const JSON_FIELDS = /** @type {Record<string, string>} */ ({ augmentation: "[]", resources: "{}" });

export class RecipeForm {
  /** The fields of a recipe. @type {string[]} */
  names = Object.keys(recipes.defaults);

  /** @param {HTMLFormElement} form */
  constructor(form) {
    this.form = form;
    this.details = /** @type {HTMLDetailsElement} */ (form.querySelector("details"));
    form.addEventListener("input", () => this.#link());
    form.addEventListener("change", () => this.#offer());
    form.addEventListener("click", (event) => {
      const wanted = event.target instanceof HTMLElement && event.target.dataset.fill;
      if (wanted === "defaults") this.#fill(recipes.defaults);
      if (wanted === "shipped") this.#fill(recipes.shipped[this.field("network").value]);
      this.#offer();
    });
    this.#link();
    this.#offer();
  }

  /** @param {string} name */
  field(name) {
    return /** @type {HTMLInputElement} */ (this.form.elements.namedItem(name));
  }

  /** @returns {Record<string, unknown>} */
  recipe() {
    return Object.fromEntries(this.names.map((name) => [name, this.#value(name)]));
  }

  /**
   * Send what was typed; a refusal is shown.
   * @param {unknown} body
   * @param {(field: string) => HTMLInputElement | null} [find] the input that a fault is about
   * @returns {Promise<string | null>} the id of what was started; null where it was refused
   */
  async send(body, find = (field) => this.find(field)) {
    const button = /** @type {HTMLButtonElement} */ (this.form.querySelector("button.main"));
    const name = this.field("name").value.trim();
    button.disabled = true;
    this.#accept();
    try {
      const headers = { "Content-Type": "application/json" };
      const address = `${this.form.action}${name && `?${new URLSearchParams({ name })}`}`;
      const response = await request(address, { method: "POST", body: JSON.stringify(body), headers });
      return (await response.json()).id;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#refuse(error, find);
      return null;
    } finally {
      button.disabled = false;
    }
  }

  /**
   * The input of a field, where the form has it.
   * @param {string} name
   */
  find(name) {
    return this.names.includes(name) || name === "name" ? this.field(name) : null;
  }

  /** Take back what was said of the last try. */
  #accept() {
    refusal.hidden = true;
    for (const fault of this.form.querySelectorAll(".fault")) fault.toggleAttribute("hidden", true);
    for (const one of this.form.querySelectorAll("[aria-invalid]")) {
      one.removeAttribute("aria-invalid");
      one.removeAttribute("aria-describedby");
    }
  }

  /**
   * Say what is wrong beside each field, the first of which gets the focus; what is about none of
   * them stands below.
   * @param {Refusal} refused
   * @param {(field: string) => HTMLInputElement | null} find
   */
  #refuse({ message, faults }, find) {
    const inputs = faults.map(({ field }) => find(field));
    refusal.hidden = inputs.length > 0 && inputs.every(Boolean);
    refusal.textContent = message;
    faults.forEach((fault, place) => this.#mark(inputs[place], fault.message));
    /** @type {HTMLElement | null} */ (this.form.querySelector("[aria-invalid]"))?.focus();
  }

  /**
   * @param {HTMLInputElement | null} input
   * @param {string} message
   */
  #mark(input, message) {
    const fault = input?.closest(".field, .varied-field")?.querySelector(".fault");
    if (!input || !(fault instanceof HTMLElement)) return;
    if (this.details.contains(input)) this.details.open = true;
    fault.id ||= `fault-of-${input.closest("[data-field]")?.getAttribute("data-field")}`;
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", fault.id);
    fault.textContent = message;
    fault.hidden = false;
  }

  /**
   * What a field holds. What is no number or no JSON goes to the server as it is, which says so.
   * @param {string} name
   */
  #value(name) {
    const { type, value: text } = this.field(name);
    if (type === "number") return text === "" ? text : Number(text);
    if (!(name in JSON_FIELDS)) return text;
    try {
      return JSON.parse(text || JSON_FIELDS[name]);
    } catch {
      return text;
    }
  }

  /** @param {Record<string, unknown>} recipe */
  #fill(recipe) {
    for (const name of this.names) {
      const one = recipe[name] ?? recipes.defaults[name];
      this.field(name).value = typeof one === "string" ? one : JSON.stringify(one);
    }
    this.details.open = true;
    this.#accept();
    this.#link();
  }

  /** The preview of what stands in the field of augmentations. */
  #link() {
    preview.search = String(new URLSearchParams({ augmentation: this.field("augmentation").value }));
  }

  /** A button that fills in nothing is none: some networks come without a recipe. */
  #offer() {
    const button = /** @type {HTMLButtonElement} */ (this.form.querySelector("[data-fill=shipped]"));
    button.disabled = !(this.field("network").value in recipes.shipped);
  }
}
