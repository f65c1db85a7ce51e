// The preview of augmentations: what is chosen becomes the address of a picture of nine.

import { request, Refusal } from "./request.js";

const form = /** @type {HTMLFormElement} */ (document.getElementById("augment"));
const nine = /** @type {HTMLImageElement} */ (document.getElementById("nine"));
const file = /** @type {HTMLInputElement} */ (document.getElementById("augment-file"));
const message = /** @type {HTMLElement} */ (document.getElementById("message"));
const seed = /** @type {HTMLInputElement} */ (form.elements.namedItem("seed"));
const model = /** @type {HTMLSelectElement} */ (form.elements.namedItem("model"));
const rows = /** @type {HTMLElement[]} */ ([...form.querySelectorAll("[data-name]")]);

let image = form.dataset.example ?? "";
/** @type {HTMLElement[]} those that are chosen, in the order in which they are applied */
let chosen = [];

/** @param {HTMLElement} row */
const checkbox = (row) => /** @type {HTMLInputElement} */ (row.querySelector("[type=checkbox]"));

/** @param {HTMLElement} row */
const numbers = (row) =>
  /** @type {NodeListOf<HTMLInputElement>} */ (row.querySelectorAll("[data-parameter]"));

/** What is chosen, as a recipe has it: what was chosen last is applied last. */
function entries() {
  const checked = rows.filter((row) => checkbox(row).checked);
  chosen = [...chosen.filter((row) => checked.includes(row)), ...checked.filter((row) => !chosen.includes(row))];
  return chosen.map((row) => {
    const changed = [...numbers(row)].filter((one) => one.value !== "" && one.value !== one.defaultValue);
    const parameters = changed.map((one) => [one.dataset.parameter, Number(one.value)]);
    return { name: row.dataset.name, ...Object.fromEntries(parameters) };
  });
}

/** Take over what the address says. */
function read() {
  const query = new URL(location.href).searchParams;
  image = query.get("image") ?? image;
  seed.value = query.get("seed") ?? seed.value;
  for (const entry of parse(query.get("augmentation"))) {
    const { name, ...parameters } = typeof entry === "string" ? { name: entry } : entry;
    const row = rows.find((one) => one.dataset.name === name);
    if (!row) continue;
    checkbox(row).checked = true;
    chosen.push(row);
    for (const input of numbers(row)) {
      const value = parameters[input.dataset.parameter ?? ""];
      if (value !== undefined) input.value = String(value);
    }
  }
}

/**
 * @param {string | null} text
 * @returns {any[]}
 */
function parse(text) {
  try {
    const value = JSON.parse(text ?? "[]");
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

async function show() {
  const recipe = JSON.stringify(entries());
  const query = new URLSearchParams({ model: model.value, image, augmentation: recipe, seed: seed.value || "0" });
  for (const row of rows) row.toggleAttribute("data-on", checkbox(row).checked);
  const output = form.querySelector("output");
  if (output) output.textContent = recipe;
  history.replaceState(null, "", `?${query}`);
  try {
    // Asked for by script, so that a refusal comes with its words.
    const response = await request(`${form.dataset.preview}?${query}`);
    const address = URL.createObjectURL(await response.blob());
    nine.src = address;
    await nine.decode();
    URL.revokeObjectURL(address);
    say("");
  } catch (error) {
    if (error instanceof Refusal) say(error.message);
    else if (!(error instanceof DOMException)) throw error;
  }
}

/** @param {string} text */
function say(text) {
  message.hidden = !text;
  message.textContent = text;
}

form.addEventListener("input", (event) => event.target !== file && void show());
form.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("another")?.addEventListener("click", () => {
  seed.value = String(Number(seed.value) + 1);
  void show();
});
file.addEventListener("change", async () => {
  const [picture] = file.files ?? [];
  if (!picture) return;
  const body = new FormData();
  body.append("image", picture);
  file.value = "";
  try {
    const response = await request(form.dataset.images ?? "", { method: "POST", body });
    image = (await response.json()).id;
    await show();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    say(error.message);
  }
});

read();
await show();
document.documentElement.dataset.ready = "";
