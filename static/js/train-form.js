// The form that starts a run: what is typed becomes a recipe; a refusal stands beside it.

import { fieldOf } from "./progress.js";
import { Refusal, request } from "./request.js";

const form = /** @type {HTMLFormElement} */ (document.getElementById("train"));
const refusal = /** @type {HTMLElement} */ (document.getElementById("refusal"));
const details = /** @type {HTMLDetailsElement} */ (form.querySelector("details"));
const preview = /** @type {HTMLAnchorElement} */ (document.getElementById("preview"));
const recipes = JSON.parse(document.getElementById("recipes")?.textContent ?? "{}");

/** @param {string} name */
const field = (name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
const names = Object.keys(recipes.defaults);
/** The fields that hold JSON, and what they mean when they are empty. */
const JSON_FIELDS = /** @type {Record<string, string>} */ ({ augmentation: "[]", resources: "{}" });

/**
 * What a field holds. What is no number or no JSON goes to the server as it is, which says so.
 * @param {string} name
 */
function value(name) {
  const { type, value: text } = field(name);
  if (type === "number") return text === "" ? text : Number(text);
  if (!(name in JSON_FIELDS)) return text;
  try {
    return JSON.parse(text || JSON_FIELDS[name]);
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
  refuse("");
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

/** @param {string} detail the server's words; none where all is well */
function refuse(detail) {
  refusal.hidden = !detail;
  refusal.textContent = detail;
  for (const name of names) field(name).removeAttribute("aria-invalid");
  const wrong = fieldOf(detail, names);
  if (!wrong) return;
  const input = field(wrong);
  if (details.contains(input)) details.open = true;
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", "refusal");
  input.focus();
}

async function train() {
  const button = /** @type {HTMLButtonElement} */ (form.querySelector("button.main"));
  const name = field("name").value.trim();
  button.disabled = true;
  refuse("");
  try {
    const body = JSON.stringify(Object.fromEntries(names.map((one) => [one, value(one)])));
    const headers = { "Content-Type": "application/json" };
    const address = `${form.action}${name && `?${new URLSearchParams({ name })}`}`;
    const response = await request(address, { method: "POST", body, headers });
    location.assign(`${location.pathname}/${(await response.json()).id}`);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    refuse(error.message);
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
