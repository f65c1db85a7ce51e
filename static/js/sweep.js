// The page of a sweep: its runs as a picture and a table, up to date while they train.

import { ask } from "./asking.js";
import { accuracySpan, sayValue } from "./parallel.js";
import { gradient, ParallelPicture } from "./parallel-picture.js";
import { percent } from "./progress.js";
import { Refusal, request } from "./request.js";
import { SweepTable } from "./sweep-table.js";

/** @typedef {import("./parallel.js").SweptRun & {model: string | null}} SweptRun */
/** @typedef {{ended: boolean, best: string | null, plan: {fields: Record<string, any>}, runs: SweptRun[]}} Sweep */

const NEWS_MS = 2000;
/** @param {string} id */
const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const page = part("sweep");
const { api = "", runs: runsApi = "", runPages = "", pages = "" } = page.dataset;

/** @type {SweepTable} */
let table;
/** @type {ParallelPicture} */
let picture;
/** @type {SweptRun | null} */
let best = null;
/** @type {SweptRun[]} */
let shown = [];

/** @param {string | null} run that is pointed at, in the table or in the picture */
function light(run) {
  table.light(run);
  picture.light(run);
}

/** @param {Sweep} sweep */
function show(sweep) {
  const { runs, ended } = sweep;
  const fields = Object.keys(sweep.plan.fields);
  table ??= new SweepTable(/** @type {HTMLTableElement} */ (part("table")), sweep.plan.fields, runPages, light);
  picture ??= new ParallelPicture(part("picture"), sweep.plan.fields, light, (run) => table.reach(run));
  best = runs.find((run) => run.id === sweep.best) ?? null;
  const tried = runs.some((run) => run.best_accuracy !== null);
  part("picture").hidden = !tried;
  part("no-lines").hidden = tried;
  part("no-runs").hidden = runs.length > 0;
  showState(runs, ended);
  showLegend(runs);
  shown = runs;
  picture.show(runs, sweep.best, describePicture(fields));
  table.show(runs, sweep.best);
  document.documentElement.dataset.ready = "";
}

/**
 * @param {SweptRun[]} runs
 * @param {boolean} ended
 */
function showState(runs, ended) {
  const done = runs.filter((run) => !["queued", "running", "paused"].includes(run.state)).length;
  const early = runs.filter((run) => run.reason).length;
  const found = best ? ` The best is ${best.name}: ${percent(best.best_accuracy ?? 0)}.` : "";
  say("state", ended ? "ended" : "under way");
  part("state").dataset.state = ended ? "finished" : "running";
  say("sentence", `${done} of ${runs.length} ${runs.length === 1 ? "run has" : "runs have"} ended${early ? `, ${early} stopped early` : ""}.${found}`);
  const epochs = runs.reduce((sum, run) => sum + run.epochs, 0);
  const left = runs.filter((run) => ["queued", "running", "paused"].includes(run.state)).reduce((sum, run) => sum + run.epochs - run.epoch, 0);
  /** @type {HTMLProgressElement} */ (part("progress")).value = epochs ? 1 - left / epochs : 1;
  part("make-model").hidden = !best;
  part("cancel").hidden = ended && !runs.some((run) => run.state === "interrupted");
  part("delete-sweep").hidden = !ended;
  if (best?.model) showModel(best.model);
}

/** @param {SweptRun[]} runs */
function showLegend(runs) {
  const span = accuracySpan(runs);
  const legend = part("legend");
  legend.hidden = !span;
  if (!span) return;
  const [low, bar, high] = /** @type {NodeListOf<HTMLElement>} */ (legend.querySelectorAll("span"));
  low.textContent = percent(span.low);
  high.textContent = percent(span.high);
  bar.style.background = gradient();
}

/** @param {string[]} fields */
function describePicture(fields) {
  const names = fields.map((field) => field.replaceAll("_", " "));
  const values = best && fields.map((field, place) => `${names[place]} ${sayValue(best?.values[field])}`).join(", ");
  const said = best ? ` The best, ${percent(best.best_accuracy ?? 0)}, has ${values}.` : "";
  return `Each run as a line over ${names.join(", ")} and its accuracy.${said} The table below has the numbers.`;
}

/**
 * @param {string} id
 * @param {string} text
 */
function say(id, text) {
  if (part(id).textContent !== text) part(id).textContent = text;
}

/** @param {string} model */
function showModel(model) {
  const link = /** @type {HTMLAnchorElement} */ (part("model"));
  link.href = `/?${new URLSearchParams({ model })}`;
  say("model", `Explore ${model}`);
  link.hidden = false;
}

/**
 * Say in the page what the server refuses.
 * @param {string} url
 * @param {RequestInit} [options]
 */
async function attempt(url, options) {
  try {
    const response = await request(url, options);
    part("error").hidden = true;
    return response;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    say("error", error.message);
    part("error").hidden = false;
    return null;
  }
}

/** @returns {Promise<boolean>} whether more is to come */
async function hearNews() {
  const sweep = await request(api).then(
    (response) => /** @type {Promise<Sweep>} */ (response.json()),
    (error) => say("connection", error.message),
  );
  part("connection").hidden = Boolean(sweep);
  if (sweep) show(sweep);
  return !sweep?.ended;
}

async function wait() {
  const more = document.hidden || (await hearNews());
  if (!more) return;
  await new Promise((resolve) => setTimeout(resolve, NEWS_MS));
  void wait();
}

part("cancel").addEventListener("click", async () => {
  const response = await attempt(`${api}/cancel`, { method: "POST" });
  if (response) show(await response.json());
});

part("delete-sweep").addEventListener("click", async () => {
  if (!(await ask("delete"))) return;
  if (await attempt(api, { method: "DELETE" })) location.assign(pages);
});

part("make-model").addEventListener("click", async () => {
  const run = best;
  const input = /** @type {HTMLInputElement} */ (part("make").querySelector("input"));
  if (!run || !(await ask("make", run.name))) return;
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ name: input.value });
  const response = await attempt(`${runsApi}/${run.id}/model`, { method: "POST", headers, body });
  if (response) showModel((await response.json()).name);
});

document.addEventListener("themechange", () => showLegend(shown));
await wait();
