// The explore page: what is drawn goes to the server, and what comes back goes to every part of
// the page. The address names what is seen.

import "./drawing-pad.js";
import "./layer-columns.js";
import "./map-inspector.js";
import "./model-editor.js";
import "./number-grid.js";
import "./pad-overlay.js";
import "./preparation-strip.js";
import "./probability-bars.js";
import "./time-machine.js";
import { astray, baseOf, readView, sameNetwork, writeView } from "./address.js";
import { KeptPictures } from "./kept-pictures.js";
import { notePicked } from "./looking.js";
import { nameModel } from "./model-picker.js";
import { ModelView } from "./model-view.js";
import { Newest } from "./newest.js";
import { PadMessage } from "./pad-message.js";
import { installTools } from "./pad-tools.js";
import { request, Refusal } from "./request.js";
import { readSafetensors } from "./safetensors.js";

/** @typedef {import("./safetensors.js").Tensor} Tensor */

const KEEP_AFTER_MS = 700;
const LAST = "convscope-drawing";
// A wait that is felt.
const SLOW_MS = 400;

const pad = /** @type {import("./drawing-pad.js").DrawingPad} */ (document.querySelector("drawing-pad"));
const overlay = /** @type {import("./pad-overlay.js").PadOverlay} */ (document.querySelector("pad-overlay"));
const strip = /** @type {import("./preparation-strip.js").PreparationStrip} */ (
  document.querySelector("preparation-strip")
);
const picker = /** @type {HTMLSelectElement} */ (document.getElementById("model"));
const message = new PadMessage(/** @type {HTMLElement} */ (document.getElementById("message")));

let view = readView(new URL(location.href), picker.value);
/** @type {ModelView} */
let shown;
const pictures = new KeptPictures();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let keeping;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let again;

const queue = new Newest(async (_, signal) => {
  clearTimeout(again);
  // Another network's columns may be on their way: it is asked when they are there.
  if (pad.empty || !sameNetwork(shown.name, view.model)) return;
  const slow = setTimeout(() => (shown.busy = true), SLOW_MS);
  const traced = version;
  try {
    await trace(signal);
    message.settle(traced);
  } catch (error) {
    if (!signal.aborted && !retry(error)) refuse(error);
  }
  clearTimeout(slow);
  shown.busy = false;
});

/** How often the drawing has changed, and its number when the server was given it to keep. */
let version = 0;
let kept = -1;
/** @type {import("./pad-overlay.js").Placement | null} where the network's input lies in the drawing */
let placement = null;

/** @param {AbortSignal} signal */
async function trace(signal) {
  const traced = version;
  const body = pad.image ? pictures.file(pad.image) : pad.bytes;
  const target = `/api/v1/trace?model=${encodeURIComponent(view.model)}&steps=true${shown.query(view)}`;
  const sent = {
    headers: { "Content-Type": pad.image ? "image/png" : "application/octet-stream" },
    body: /** @type {BodyInit} */ (body),
  };
  const response = await request(target, { method: "POST", ...sent, signal });
  const answer = await response.arrayBuffer();
  // In a task of its own, when the next request is under way.
  setTimeout(() => paint(answer, traced, sent));
}

/**
 * @param {ArrayBuffer} answer
 * @param {number} traced the version of the drawing that it answers
 * @param {import("./model-editor.js").Sent} sent what it answers
 */
function paint(answer, traced, sent) {
  const { tensors, metadata } = readSafetensors(answer);
  notePicked(tensors, metadata);
  placement = JSON.parse(metadata.placement);
  const prediction = JSON.parse(metadata.prediction);
  if (shown.machine) shown.machine.busy = false;
  // Meanwhile the pad may have been cleared, or another model chosen.
  if (pad.empty || !sameNetwork(prediction.model, view.model)) return;
  strip.show(JSON.parse(metadata.steps).map((/** @type {[string, string]} */ [name, caption]) => ({
    name, caption, picture: /** @type {Tensor} */ (tensors.get(`step:${name}`)),
  })));
  shown.show(tensors, prediction, view, metadata.unit ? JSON.parse(metadata.unit) : null);
  shown.editor.compare(prediction, sent);
  // What follows the frame's own work runs when the frame has been painted.
  requestAnimationFrame(() => setTimeout(() => mark("convscope:painted", traced)));
}

/**
 * Leave a mark for whoever measures the page.
 * @param {string} name
 * @param {number} detail the version of the drawing
 */
function mark(name, detail) {
  performance.clearMarks(name);
  performance.mark(name, { detail });
}

/** @param {unknown} error */
function refuse(error) {
  if (!(error instanceof Refusal)) throw error;
  say(error.message);
  strip.show([]);
  shown.show(null, null, view);
}

/**
 * Where the server is only busy: leave what is shown, and ask again when it said so.
 * @param {unknown} error
 * @returns {boolean} whether that was it
 */
function retry(error) {
  if (!(error instanceof Refusal) || !error.retryAfter) return false;
  say(`${error.message} This page does so by itself.`);
  again = setTimeout(() => queue.push(true), error.retryAfter * 1000);
  return true;
}

/** @param {string} text what is wrong with the drawing or its trace; empty when nothing is */
const say = (text) => message.say(text);

/** @param {string} text why nothing came of what was asked for, whatever becomes of the drawing */
const decline = (text) => message.say(text, version);

/**
 * @param {boolean} done whether a stroke has ended
 * @param {boolean} changed whether the drawing is another than at the last call
 */
function drawn(done, changed) {
  if (changed) mark("convscope:drawn", ++version);
  tools.update();
  clearTimeout(keeping);
  if (pad.empty) {
    queue.drop();
    say("");
    strip.show([]);
    shown.show(null, null, view);
    address({ image: null }, false);
    return;
  }
  if (changed) queue.push(true);
  if (done) queue.hurry();
  if (done) keepIn(KEEP_AFTER_MS);
}

/** @param {number} wait in milliseconds; a busy server is asked again */
function keepIn(wait) {
  clearTimeout(keeping);
  keeping = setTimeout(() => {
    keep().catch((error) => (error.retryAfter ? keepIn(error.retryAfter * 1000) : refuse(error)));
  }, wait);
}

/** Keep the drawing on the server, so that the address names it. */
async function keep() {
  clearTimeout(keeping);
  const bytes = pad.bytes;
  let image = pad.image;
  const drawing = version;
  if (!image && bytes) {
    const headers = { "Content-Type": "application/octet-stream" };
    const response = await request("/api/v1/images", { method: "POST", headers, body: bytes });
    image = (await response.json()).id;
  }
  // Meanwhile the pad may have been cleared, or a picture shown that the address names already.
  if (pad.empty || (pad.image ?? image) !== image) return;
  if (image) localStorage.setItem(LAST, image);
  kept = drawing;
  address({ image }, false);
  shown.units.kept();
}

/** Take up the last drawing, if the server still has it, for a network that one watches. */
async function recall() {
  const image = localStorage.getItem(LAST);
  if (!image) return;
  try {
    if (await showKept(image)) address({ image }, false);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    localStorage.removeItem(LAST);
  }
}

/** @param {File} file a picture that was chosen, dropped or pasted */
async function open(file) {
  try {
    const body = new FormData();
    body.append("image", file);
    const response = await request("/api/v1/images", { method: "POST", body });
    const { id } = await response.json();
    if (await showKept(id)) address({ image: id }, true);
  } catch (error) {
    // What was drawn before stays as it is.
    if (!(error instanceof Refusal)) throw error;
    decline(error.message);
  }
}

/**
 * @param {string} image id of a kept picture
 * @returns {Promise<boolean>} whether it is shown: another may have been asked for meanwhile
 */
async function showKept(image) {
  const bitmap = await pictures.fetch(image);
  if (!bitmap) return false;
  pad.show(bitmap, image);
  kept = version;
  return true;
}

/**
 * Show the picture that the address names now, or none.
 * @param {string | null} before what it named; the pad keeps it where the other is gone
 */
async function reshow(before) {
  const { image } = view;
  if (!image) {
    pictures.drop();
    return pad.clear();
  }
  try {
    await showKept(image);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (view.image === image) address({ image: before }, false);
    decline(error.message);
  }
}

/**
 * Change the view and the address with it.
 * @param {Partial<import("./address.js").View>} change
 * @param {boolean} step whether "back" should undo it
 */
function address(change, step) {
  view = { ...view, ...change };
  const url = writeView(new URL(location.href), view);
  if (url.href === location.href) return;
  if (step) history.pushState(null, "", url);
  else history.replaceState(null, "", url);
}

/** @type {import("./model-view.js").Select} */
function select(layer, channel, y = null, x = null, step = true) {
  address({ layer, channel, y, x }, step);
  message.forget();
  shown.select(view);
}

/** Say what the address names that there isn't, and name what is seen instead. */
function correct() {
  const found = astray(new URL(location.href), view, shown.layers);
  if (!found) return;
  address(found.view, false);
  shown.select(view);
  decline(`${message.words} ${found.words}`.trim());
}

/**
 * Draw on the pad what a unit sees of it.
 * @param {import("./walking.js").Unit | null} unit
 */
function field(unit) {
  overlay.mark(unit && unit.receptive_field, placement, pad.size);
}

/**
 * Go to another snapshot of the run, or to the model with other edits.
 * @param {string} model
 * @param {boolean} step whether "back" should undo it
 */
function travel(model, step) {
  address({ model }, step);
  shown.become(model, view);
  nameModel(picker, model, shown);
  if (pad.empty) return;
  if (shown.machine) shown.machine.busy = true;
  queue.push(true);
}

/** The server has sent another model's columns. */
async function arrived() {
  const element = /** @type {HTMLElement} */ (document.getElementById("model-view"));
  const image = () => (kept === version ? view.image : null);
  const shade = (/** @type {Tensor | null} */ strengths) => overlay.shade(strengths, placement, pad.size);
  shown = new ModelView(element, select, setScale, () => !pad.empty && queue.push(true), { image, field, shade, say });
  if (shown.name !== view.model) address({ model: shown.name, layer: null, channel: null, y: null, x: null }, true);
  shown.machine?.show(baseOf(shown.name));
  nameModel(picker, shown.name, shown);
  shown.machine?.addEventListener("scrub", (event) => travel(/** @type {CustomEvent} */ (event).detail.model, false));
  shown.editor.addEventListener("edit", (event) => travel(/** @type {CustomEvent} */ (event).detail.model, true));
  shown.editor.addEventListener("retitle", () => nameModel(picker, view.model, shown));
  shown.select(view);
  if (!pad.empty) queue.push(true);
}

/** @param {"map" | "layer"} scale */
function setScale(scale) {
  address({ scale }, false);
  shown.repaint(view);
}

async function restore() {
  const next = readView(new URL(location.href), picker.value);
  const [model, image] = [view.model, view.image];
  view = next;
  if (next.image !== image) await reshow(image);
  // Meanwhile one may have gone on.
  if (next.model !== view.model) return;
  if (next.model !== model && sameNetwork(next.model, model)) travel(next.model, false);
  else if (next.model !== model) {
    const { htmx } = /** @type {any} */ (window);
    await htmx.ajax("GET", `/?model=${encodeURIComponent(next.model)}`, { target: "#model-view", swap: "outerHTML" });
    if (sameNetwork(shown.name, view.model)) return;
    // It is gone: the page stays with the model that it shows.
    address({ model: shown.name, layer: null, channel: null, y: null, x: null }, false);
    nameModel(picker, shown.name, shown);
    queue.push(true);
  }
  shown.select(view);
  shown.repaint(view);
}

/** The channel without the unit; a layer without maps has none. */
function channelAlone() {
  const layer = shown.layers.find(({ name }) => name === view.layer);
  return layer?.output_shape.length === 3 ? view.channel : null;
}

const tools = installTools(pad, {
  open,
  say: decline,
  scale: () => setScale(view.scale === "map" ? "layer" : "map"),
  step: (channels, layers) => shown.step(view, channels, layers),
  close: () => view.layer !== null && (view.y === null ? select(null, null) : select(view.layer, channelAlone())),
  walk: (key) => shown.units.walk(key),
  share: async () => {
    await keep().catch(refuse);
    return location.href;
  },
});

pad.addEventListener("draw", (event) => {
  const { done, changed } = /** @type {CustomEvent} */ (event).detail;
  drawn(done, changed);
});
document.addEventListener("htmx:after:swap", (event) => {
  // Of a refusal nothing has come into the page.
  if (/** @type {CustomEvent} */ (event).detail.ctx.swap !== "none") void arrived();
});
document.addEventListener("htmx:response:error", (event) => {
  decline(JSON.parse(/** @type {CustomEvent} */ (event).detail.ctx.text).detail);
  picker.value = view.model;
});
document.addEventListener("themechange", () => {
  pad.paint();
  shown?.repaint(view);
});
addEventListener("popstate", () => void restore());

await customElements.whenDefined("layer-columns");
await arrived();
if (view.image) await showKept(view.image).catch(refuse);
else if (document.querySelector("time-machine")) await recall();
correct();
tools.update();
document.documentElement.dataset.ready = "";
