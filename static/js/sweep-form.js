// The form that starts a sweep, and news of the list beside it.

import { RecipeForm } from "./recipe-form.js";
import { request } from "./request.js";
import { readChoices, sayCount } from "./sweep-plan.js";

const NEWS_MS = 2000;
/** @param {string} id */
const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const form = new RecipeForm(/** @type {HTMLFormElement} */ (part("sweep-form")));
const vary = /** @type {HTMLSelectElement} */ (part("vary"));
const rows = part("varied");
const list = part("sweeps");

const varied = () => /** @type {HTMLElement[]} */ ([...rows.children]);
const search = () => form.field("search").value;

/**
 * @param {HTMLElement} row
 * @param {string} name
 */
const input = (row, name) => /** @type {HTMLInputElement} */ (row.querySelector(`[data-part=${name}]`));
/** @param {string} name */
const option = (name) => /** @type {HTMLOptionElement} */ ([...vary.options].find(({ value }) => value === name));
const isNumeric = (/** @type {string} */ name) => "numeric" in option(name).dataset;

/** @param {HTMLElement} row */
function choices(row) {
  const name = row.dataset.field ?? "";
  const typed = { name, ...Object.fromEntries(["kind", "values", "low", "high"].map((one) => [one, input(row, one).value])) };
  return readChoices(/** @type {import("./sweep-plan.js").Typed} */ (typed), isNumeric(name));
}

/** A number as it was typed, where it is one. @param {string} name */
function number(name) {
  const text = form.field(name).value;
  return text === "" ? text : Number(text);
}

function plan() {
  const random = search() === "random";
  return {
    recipe: form.recipe(),
    search: search(),
    fields: Object.fromEntries(varied().map((row) => [row.dataset.field ?? "", choices(row)])),
    ...(random ? { samples: number("samples"), seed: number("sweep_seed") } : {}),
    stop_early: form.field("stop_early").checked,
  };
}

/** Show what belongs to the search, and how many runs it makes. */
function show() {
  const random = search() === "random";
  for (const one of form.form.querySelectorAll("[data-random]")) one.toggleAttribute("hidden", !random);
  for (const row of varied()) showKind(row, random && isNumeric(row.dataset.field ?? ""));
  const said = sayCount(search(), varied().map(choices), number("samples"));
  if (part("count").textContent !== said) part("count").textContent = said;
  const chosen = varied().map((row) => row.dataset.field);
  for (const one of vary.options) one.disabled = chosen.includes(one.value);
  if (vary.selectedOptions[0]?.disabled) vary.value = [...vary.options].find((one) => !one.disabled)?.value ?? "";
}

/**
 * @param {HTMLElement} row
 * @param {boolean} ranges whether it may have one
 */
function showKind(row, ranges) {
  if (!ranges) input(row, "kind").value = "list";
  const range = input(row, "kind").value !== "list";
  row.querySelector(".kind")?.toggleAttribute("hidden", !ranges);
  for (const one of row.querySelectorAll("[data-range]")) one.toggleAttribute("hidden", !range);
  row.querySelector("[data-list]")?.toggleAttribute("hidden", range);
}

function add() {
  const name = vary.value;
  if (!name) return;
  const template = /** @type {HTMLTemplateElement} */ (part("varied-field"));
  const row = /** @type {HTMLElement} */ (/** @type {DocumentFragment} */ (template.content.cloneNode(true)).firstElementChild);
  const label = option(name).text;
  row.dataset.field = name;
  const legend = /** @type {HTMLElement} */ (row.querySelector("[data-name]"));
  legend.textContent = label;
  row.querySelector("[data-remove]")?.setAttribute("aria-label", `Don't vary ${label}`);
  input(row, "values").value = firstValue(name);
  rows.append(row);
  show();
  input(row, "values").focus();
}

/** What the recipe has is a value to begin with. @param {string} name */
function firstValue(name) {
  const text = form.field(name).value;
  return text && `${text}, `;
}

/**
 * The input that a fault of the plan is about: a varied field, one of the recipe, or the plan's own.
 * @param {string} place such as fields.epochs, recipe.epochs, samples
 * @returns {HTMLInputElement | null}
 */
function find(place) {
  const [part, name] = place.split(".");
  if (part === "seed") return form.field("sweep_seed");
  if (part === "recipe") return form.find(name);
  if (part !== "fields") return part === "samples" ? form.field("samples") : null;
  const row = varied().find((one) => one.dataset.field === name);
  return row ? input(row, input(row, "kind").value === "list" ? "values" : "low") : null;
}

async function start() {
  const sweep = await form.send(plan(), find);
  if (sweep) location.assign(`${location.pathname}/${sweep}`);
}

/** Take over what has changed, unless the focus is within. */
async function hearNews() {
  const response = await request(location.pathname, { headers: { "HX-Request": "true" } }).catch(() => null);
  if (response && !list.contains(document.activeElement)) list.innerHTML = await response.text();
}

async function wait() {
  await new Promise((resolve) => setTimeout(resolve, NEWS_MS));
  if (list.querySelector("li:not([data-ended])") && !document.hidden) await hearNews();
  void wait();
}

form.form.addEventListener("input", show);
form.form.addEventListener("click", (event) => {
  const row = event.target instanceof HTMLElement && event.target.matches("[data-remove]") && event.target.closest("fieldset");
  if (!row) return;
  row.remove();
  show();
  vary.focus();
});
form.form.addEventListener("submit", (event) => {
  event.preventDefault();
  void start();
});
part("add").addEventListener("click", add);
show();
void wait();
document.documentElement.dataset.ready = "";
