// The form that starts a run: what is typed becomes a recipe; what is refused stands beside its
// field.

import { Refusal, request } from "./request.js";

const form = /** @type {HTMLFormElement} */ (document.getElementById("train"));
const refusal = /** @type {HTMLElement} */ (document.getElementById("refusal"));
const details = /** @type {HTMLDetailsElement} */ (form.querySelector("details"));
const preview = /** @type {HTMLAnchorElement} */ (document.getElementById("preview"));
const recipes = JSON.parse(document.getElementById("recipes")?.textContent ?? "{}");

/** @param {string} name */
const field = (name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
const names = Object.keys(recipes.defaults);
/** All fields as they stand in the form, from top to bottom. */
const shown = [...form.elements].map((one) => one.getAttribute("name") ?? "").filter(Boolean);

/** @param {string} name */
const faultOf = (name) => /** @type {HTMLElement} */ (document.getElementById(`fault-${name}`));

/**
 * What a field holds. What is no number or no JSON goes to the server as it is, which says so.
 * @param {string} name
 */
function value(name) {
  const { type, value: text } = field(name);
  if (type === "number") return text === "" ? text : Number(text);
  if (name !== "augmentation") return text;
  try {
    return JSON.parse(text || "[]");
  } catch {
    return text;
  }
}

/** @param {Record<string, unknown>} recipe */
function fill(recipe) {
  for (const name of names) {
    const one = recipe[name] ?? recipes.defaults[name];
    field(name).value = typeof one === "string" ? one : JSON.stringify(one);
  }
  details.open = true;
  accept();
  link();
}

/** The preview of what stands in the field of augmentations. */
function link() {
  const query = new URLSearchParams({ augmentation: field("augmentation").value });
  preview.search = String(query);
}

/** A button that fills in nothing is none: some networks come without a recipe. */
function offer() {
  const button = /** @type {HTMLButtonElement} */ (form.querySelector("[data-fill=shipped]"));
  button.disabled = !(field("network").value in recipes.shipped);
}

/** Take back what was said of the last try. */
function accept() {
  refusal.hidden = true;
  for (const name of shown) {
    field(name).removeAttribute("aria-invalid");
    field(name).removeAttribute("aria-describedby");
    faultOf(name).hidden = true;
  }
}

/**
 * Say what is wrong beside each field, the first of which gets the focus; what is about none of
 * them stands below.
 * @param {Refusal} refused
 */
function refuse({ message, faults }) {
  const wrong = faults.filter((one) => shown.includes(one.field));
  refusal.hidden = wrong.length > 0 && wrong.length === faults.length;
  refusal.textContent = message;
  for (const one of wrong) {
    const [input, fault] = [field(one.field), faultOf(one.field)];
    if (details.contains(input)) details.open = true;
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", fault.id);
    fault.textContent = one.message;
    fault.hidden = false;
  }
  const first = shown.find((name) => wrong.some((one) => one.field === name));
  if (first) field(first).focus();
}

async function train() {
  const button = /** @type {HTMLButtonElement} */ (form.querySelector("button.main"));
  const name = field("name").value.trim();
  button.disabled = true;
  accept();
  try {
    const body = JSON.stringify(Object.fromEntries(names.map((one) => [one, value(one)])));
    const headers = { "Content-Type": "application/json" };
    const address = `${form.action}${name && `?${new URLSearchParams({ name })}`}`;
    const response = await request(address, { method: "POST", body, headers });
    location.assign(`${location.pathname}/${(await response.json()).id}`);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    refuse(error);
  } finally {
    button.disabled = false;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void train();
});
form.addEventListener("input", link);
form.addEventListener("change", offer);
form.addEventListener("click", (event) => {
  const wanted = event.target instanceof HTMLElement && event.target.dataset.fill;
  if (wanted === "defaults") fill(recipes.defaults);
  if (wanted === "shipped") fill(recipes.shipped[field("network").value]);
  offer();
});
link();
offer();
