// The list of runs: what is found, what is compared, and news of those that train.

import { ask } from "./asking.js";
import { Chart } from "./chart.js";
import { curve, readCsv } from "./curves.js";
import { Refusal, request } from "./request.js";
import { COMPARED, readList, writeList } from "./run-list.js";

const NEWS_MS = 2000;
const list = /** @type {HTMLElement} */ (document.getElementById("runs"));
const filter = /** @type {HTMLFormElement} */ (document.getElementById("filter"));
const comparison = /** @type {HTMLElement} */ (document.getElementById("comparison"));
const chartRoot = /** @type {HTMLElement} */ (document.getElementById("compare-chart"));
const compared = /** @type {HTMLSelectElement} */ (document.getElementById("compared"));
const query = /** @type {HTMLInputElement} */ (filter.elements.namedItem("q"));
const state = /** @type {HTMLSelectElement} */ (filter.elements.namedItem("state"));

let view = readList(new URL(location.href));
/** @type {Chart | null} */
let chart = null;
let drawn = 0;

const lines = () => /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[data-run]")]);
const isLive = (/** @type {HTMLElement} */ line) => ["queued", "running", "paused"].includes(line.dataset.state ?? "");

/** @param {Partial<import("./run-list.js").ListView>} change */
function look(change) {
  view = { ...view, ...change };
  history.replaceState(null, "", writeList(new URL(location.href), view));
  show();
  if ("compare" in change || "metric" in change) void compare();
}

/** Show the lines that match, and which of them are compared. */
function show() {
  const words = view.query.toLowerCase().split(/\s+/);
  for (const line of lines()) {
    const found = words.every((word) => (line.dataset.words ?? "").includes(word));
    line.hidden = !found || (view.state !== "" && line.dataset.state !== view.state);
    const check = /** @type {HTMLInputElement} */ (line.querySelector(".run-check"));
    const place = view.compare.indexOf(line.dataset.run ?? "");
    check.checked = place >= 0;
    check.style.accentColor = check.checked ? `var(--curve-${place + 1})` : "";
    check.disabled = !check.checked && view.compare.length >= COMPARED;
  }
  const shown = lines().some((line) => !line.hidden);
  toggle("no-runs", lines().length === 0);
  toggle("no-match", lines().length > 0 && !shown);
  filter.hidden = lines().length === 0;
}

/**
 * @param {string} id
 * @param {boolean} visible
 */
function toggle(id, visible) {
  document.getElementById(id)?.toggleAttribute("hidden", !visible);
}

/** Draw the curves of the compared runs. */
async function compare() {
  const turn = ++drawn;
  const chosen = lines().filter((line) => view.compare.includes(line.dataset.run ?? ""));
  comparison.hidden = chosen.length === 0;
  const all = await Promise.all(chosen.map((line) => epochs(line.dataset.run ?? "")));
  if (turn !== drawn) return;
  chart?.remove();
  chart = null;
  if (!chosen.length) return;
  const curves = chosen.map((line) => {
    const place = view.compare.indexOf(line.dataset.run ?? "");
    return { label: line.dataset.name ?? "", color: `--curve-${place + 1}` };
  });
  const accuracy = view.metric === "validation_accuracy";
  chart = new Chart(chartRoot, curves, {
    unit: accuracy ? " %" : "",
    epochs: Math.max(...chosen.map((line) => Number(line.dataset.epochs))),
    ...(accuracy ? { range: [0, 100] } : {}),
  });
  chart.show(all.map((one) => curve(one, view.metric)));
}

/** @param {string} run */
async function epochs(run) {
  const response = await attempt(() => request(`${list.dataset.api}/${run}/metrics.csv`));
  return response ? readCsv(await response.text()) : [];
}

/**
 * Say in the page what the server refuses.
 * @param {() => Promise<Response>} ask_
 */
async function attempt(ask_) {
  const refusal = /** @type {HTMLElement} */ (document.getElementById("list-refusal"));
  try {
    const response = await ask_();
    refusal.hidden = true;
    return response;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    refusal.textContent = error.message;
    refusal.hidden = false;
    return null;
  }
}

/** @returns {Promise<HTMLElement[]>} all lines as they are now; none where they can't be had */
async function freshLines() {
  const response = await attempt(() => request(location.pathname, { headers: { "HX-Request": "true" } }));
  const fresh = document.createElement("ul");
  if (response) fresh.innerHTML = await response.text();
  return /** @type {HTMLElement[]} */ ([...fresh.children]);
}

/** Take over what has changed; a line keeps its place, and the focus that may be in it. */
async function hearNews() {
  const known = new Set(lines().map((line) => line.id));
  for (const line of (await freshLines()).reverse()) {
    if (!known.has(line.id)) list.prepend(line);
    else renew(/** @type {HTMLElement} */ (document.getElementById(line.id)), line);
  }
  show();
}

/**
 * @param {HTMLElement} line
 * @param {HTMLElement} fresh
 */
function renew(line, fresh) {
  line.dataset.state = fresh.dataset.state;
  const news = fresh.querySelectorAll("[data-news]");
  line.querySelectorAll("[data-news]").forEach((old, place) => (old.innerHTML = news[place].innerHTML));
  const [button, other] = [line, fresh].map((one) => one.querySelector("[data-delete]"));
  button?.toggleAttribute("hidden", other?.hasAttribute("hidden"));
}

async function wait() {
  await new Promise((resolve) => setTimeout(resolve, NEWS_MS));
  const live = lines().filter(isLive);
  if (live.length && !document.hidden) {
    await hearNews();
    if (live.some((line) => view.compare.includes(line.dataset.run ?? ""))) await compare();
  }
  void wait();
}

/** @param {HTMLElement} line */
async function rename(line) {
  const input = /** @type {HTMLInputElement} */ (document.querySelector("#rename input"));
  input.value = line.dataset.name ?? "";
  if (!(await ask("rename", line.dataset.name))) return;
  const address = `${list.dataset.api}/${line.dataset.run}?${new URLSearchParams({ name: input.value })}`;
  if (!(await attempt(() => request(address, { method: "PATCH" })))) return;
  const fresh = (await freshLines()).find((one) => one.id === line.id);
  if (!fresh) return;
  line.replaceWith(fresh);
  show();
  if (view.compare.includes(line.dataset.run ?? "")) await compare();
  /** @type {HTMLElement | null} */ (fresh.querySelector("[data-rename]"))?.focus();
}

/** @param {HTMLElement} line */
async function remove(line) {
  if (!(await ask("delete", line.dataset.name))) return;
  const run = line.dataset.run ?? "";
  if (!(await attempt(() => request(`${list.dataset.api}/${run}`, { method: "DELETE" })))) return;
  line.remove();
  look({ compare: view.compare.filter((one) => one !== run) });
}

list.addEventListener("change", (event) => {
  const { value, checked } = /** @type {HTMLInputElement} */ (event.target);
  look({ compare: checked ? [...view.compare, value] : view.compare.filter((one) => one !== value) });
});
list.addEventListener("click", (event) => {
  const button = event.target instanceof HTMLElement && event.target.closest("[data-delete], [data-rename]");
  const line = button && /** @type {HTMLElement} */ (button.closest("[data-run]"));
  if (line) void (button.hasAttribute("data-delete") ? remove(line) : rename(line));
});
filter.addEventListener("input", () => look({ query: query.value, state: state.value }));
filter.addEventListener("submit", (event) => event.preventDefault());
compared.addEventListener("change", () => look({ metric: /** @type {any} */ (compared.value) }));
document.getElementById("compare-none")?.addEventListener("click", () => look({ compare: [] }));
document.getElementById("show-all")?.addEventListener("click", () => {
  [query.value, state.value] = ["", ""];
  look({ query: "", state: "" });
});

const there = lines().map((line) => line.dataset.run ?? "");
view.compare = view.compare.filter((run) => there.includes(run));
[query.value, state.value, compared.value] = [view.query, view.state, view.metric];
show();
await compare();
void wait();
document.documentElement.dataset.ready = "";
