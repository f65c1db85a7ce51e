// The page of a run: its events become words, curves and a table, as they come.

import "./confusion-matrix.js";
import { ask } from "./asking.js";
import { Chart } from "./chart.js";
import { mostConfused } from "./confusion.js";
import { curve, thin } from "./curves.js";
import { follow } from "./following.js";
import { bestOf, emptyHistory, ENDED, take } from "./history.js";
import { describe, inWords, percent, secondsLeft, share } from "./progress.js";
import { Refusal, request } from "./request.js";

/** No screen shows more points side by side. */
const POINTS = 600;
const MOST_CONFUSED = 8;
/** How often an interrupted run is looked at. */
const LOOK_MS = 5000;

/** @param {string} id */
const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const page = part("run");
const api = page.dataset.api ?? "";
const epochs = Number(page.dataset.epochs);
const history = emptyHistory();
let due = false;
let following = false;
let changing = false;
let shown = history.epochs;
/** @type {import("./history.js").Snapshot | null} */
let drawn = null;
/** @type {string[]} */
const classes = JSON.parse(part("classes").textContent ?? "[]");
const matrix = /** @type {import("./confusion-matrix.js").ConfusionMatrix} */ (document.querySelector("confusion-matrix"));

const loss = new Chart(
  part("loss"),
  [
    { label: "batches", color: "--curve-2", faint: true },
    { label: "training", color: "--curve-2" },
    { label: "validation", color: "--curve-1" },
  ],
  { unit: "", epochs },
);
const accuracy = new Chart(part("accuracy"), [{ label: "validation", color: "--curve-1" }], { unit: " %", epochs, range: [0, 100] });

/** Show the newest state of things, once per frame however many events there are. */
function showSoon() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    showState();
    showProgress();
    showEpochs();
    showCurves();
    showSnapshot();
    document.documentElement.dataset.ready = "";
  });
}

function showState() {
  const { state, error } = history;
  page.dataset.state = state;
  say("state", state);
  part("state").dataset.state = state;
  say("sentence", describe(history, epochs));
  part("error").hidden = !error;
  say("error", error ?? "");
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (page.querySelectorAll("[data-in]"))) {
    const hide = !button.dataset.in?.split(" ").includes(state);
    // The focus goes to what takes the button's place, not back to the top of the page.
    const focused = hide && button === document.activeElement;
    button.hidden = hide;
    if (focused) queueMicrotask(() => /** @type {HTMLElement | null} */ (page.querySelector("[data-in]:not([hidden])"))?.focus());
  }
}

function showProgress() {
  const { state, batch, rate } = history;
  const left = state === "running" ? secondsLeft(history, epochs) : null;
  const best = bestOf(history.epochs);
  /** @type {HTMLProgressElement} */ (part("progress")).value = share(history, epochs);
  say("epoch", `${batch?.epoch ?? history.epochs.length} of ${epochs}`);
  say("batch", batch ? `${batch.batch} of ${batch.batches}` : "–");
  say("left", left === null ? "–" : inWords(left));
  say("rate", rate === null ? "–" : Math.round(rate).toLocaleString("en"));
  say("best", best ? percent(best.validation_accuracy) : "–");
}

/**
 * @param {string} id
 * @param {string} text
 */
function say(id, text) {
  if (part(id).textContent !== text) part(id).textContent = text;
}

function showEpochs() {
  part("no-epochs").hidden = history.epochs.length > 0 || ENDED.includes(history.state);
  if (shown === history.epochs) return;
  shown = history.epochs;
  part("epochs-table").hidden = shown.length === 0;
  const best = bestOf(shown);
  const rows = shown.map((one) => {
    const row = document.createElement("tr");
    const cells = [one.train_loss.toFixed(4), one.validation_loss.toFixed(4), percent(one.validation_accuracy), one.seconds.toFixed(1)];
    row.innerHTML = `<th scope="row">${one.epoch}</th>${cells.map((cell) => `<td class="number">${cell}</td>`).join("")}`;
    row.classList.toggle("best", one === best);
    return row;
  });
  part("epochs").replaceChildren(...rows);
}

function showCurves() {
  loss.show([thin(history.batches, POINTS), curve(history.epochs, "train_loss"), curve(history.epochs, "validation_loss")]);
  accuracy.show([curve(history.epochs, "validation_accuracy")]);
}

function showSnapshot() {
  const { snapshot } = history;
  if (!snapshot || snapshot === drawn) return;
  drawn = snapshot;
  const link = /** @type {HTMLAnchorElement} */ (part("time-machine"));
  link.href = `${page.dataset.explore}?${new URLSearchParams({ model: `${page.dataset.run}@${snapshot.epoch}` })}`;
  link.hidden = false;
  const { epoch, confusion, validation_accuracy: right } = snapshot;
  const images = confusion.flat().reduce((sum, count) => sum + count, 0);
  say("confusion-of", `${images.toLocaleString("en")} validation images after epoch ${epoch}: ${percent(right)} right`);
  part("newest-snapshot").hidden = false;
  matrix.show(classes, confusion);
  const pairs = mostConfused(confusion, MOST_CONFUSED).map(([actual, taken, count]) => {
    const item = document.createElement("li");
    item.innerHTML = `<b></b> taken for <b></b> <span>${count} ${count === 1 ? "time" : "times"}</span>`;
    item.querySelectorAll("b").forEach((one, place) => (one.textContent = classes[[actual, taken][place]]));
    return item;
  });
  const none = Object.assign(document.createElement("li"), { textContent: "Nothing: every picture was recognised." });
  part("confused").replaceChildren(...(pairs.length ? pairs : [none]));
}

function listen() {
  if (following) return;
  following = true;
  follow(
    `${api}/events`,
    (number, kind, facts) => {
      if (take(history, number, kind, facts)) showSoon();
      following = !ENDED.includes(history.state);
    },
    (trouble) => {
      part("connection").textContent = trouble && `${trouble} The page tries again by itself.`;
      part("connection").hidden = !trouble;
    },
  );
}

/**
 * @param {string} path
 * @param {RequestInit} options
 */
async function change(path, options) {
  try {
    return await request(`${api}${path}`, options);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    say("error", error.message);
    part("error").hidden = false;
    return null;
  }
}

page.addEventListener("click", async (event) => {
  const button = event.target instanceof HTMLButtonElement ? event.target : null;
  // A button that is disabled meanwhile would lose the focus.
  if (!button?.dataset.do || changing) return;
  changing = true;
  const done = await change(`/${button.dataset.do}`, { method: "POST" });
  changing = false;
  // A run that had ended goes on: so does its stream.
  if (done) // Another page may have resumed it meanwhile.
setInterval(async () => {
  if (following || history.state !== "interrupted" || document.hidden) return;
  const response = await request(api).catch(() => null);
  if (response && !ENDED.includes((await response.json()).state)) listen();
}, LOOK_MS);
listen();
});

part("delete-run").addEventListener("click", async () => {
  if (!(await ask("delete"))) return;
  if (await change("", { method: "DELETE" })) location.assign(page.dataset.pages ?? "");
});

part("rename-run").addEventListener("click", async () => {
  const input = /** @type {HTMLInputElement} */ (part("rename").querySelector("input"));
  if (!(await ask("rename"))) return;
  const response = await change(`?${new URLSearchParams({ name: input.value })}`, { method: "PATCH" });
  if (!response) return;
  const { name } = await response.json();
  for (const one of document.querySelectorAll("[data-name]")) one.textContent = name;
  document.title = `${name} · ConvScope`;
});

part("make-model").addEventListener("click", async () => {
  const input = /** @type {HTMLInputElement} */ (part("make").querySelector("input"));
  if (!(await ask("make"))) return;
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ name: input.value });
  const response = await change("/model", { method: "POST", headers, body });
  if (!response) return;
  const { name } = await response.json();
  const link = /** @type {HTMLAnchorElement} */ (part("model"));
  link.href = `/?${new URLSearchParams({ model: name })}`;
  link.textContent = `Explore ${name}`;
  link.hidden = false;
});

part("logarithmic").addEventListener("change", (event) => {
  loss.scale(/** @type {HTMLInputElement} */ (event.target).checked);
});
// Another page may have resumed it meanwhile.
setInterval(async () => {
  if (following || history.state !== "interrupted" || document.hidden) return;
  const response = await request(api).catch(() => null);
  if (response && !ENDED.includes((await response.json()).state)) listen();
}, LOOK_MS);
listen();
