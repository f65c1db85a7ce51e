// The buttons around the pad, the keys, and the ways in which a picture comes to it.

import { EXAMPLES } from "./examples.js";

/**
 * @typedef {object} Actions
 * @property {(file: File) => Promise<void>} open
 * @property {(text: string) => void} say
 * @property {() => void} scale
 * @property {(channels: number, layers: number) => void} step
 * @property {() => void} close
 * @property {() => Promise<string>} share
 * @property {(key: string) => boolean} walk from the unit whose card is open, if one is
 */

const by = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * @param {import("./drawing-pad.js").DrawingPad} pad
 * @param {Actions} actions
 */
export function installTools(pad, actions) {
  const size = /** @type {HTMLInputElement} */ (by("brush-size"));
  const file = /** @type {HTMLInputElement} */ (by("file"));
  const keys = /** @type {HTMLDialogElement} */ (by("shortcuts"));

  const erase = (/** @type {boolean} */ on) => {
    pad.erasing = on;
    by("brush").setAttribute("aria-pressed", String(!on));
    by("eraser").setAttribute("aria-pressed", String(on));
  };
  const thicken = (/** @type {number} */ by_) => {
    size.value = String(Number(size.value) + by_);
    resize();
  };
  const resize = () => {
    pad.width = Number(size.value);
    const output = document.querySelector("output[for=brush-size]");
    if (output) output.textContent = size.value;
    pad.paint();
  };
  const update = () => {
    by("undo").toggleAttribute("disabled", !pad.undoable);
    by("clear").toggleAttribute("disabled", pad.empty);
    pad.toggleAttribute("data-empty", pad.empty);
  };

  by("brush").addEventListener("click", () => erase(false));
  by("eraser").addEventListener("click", () => erase(true));
  by("undo").addEventListener("click", () => pad.undo());
  by("clear").addEventListener("click", () => pad.clear());
  by("keys").addEventListener("click", () => keys.showModal());
  by("share").addEventListener("click", () => void share(actions));
  size.addEventListener("input", resize);
  file.addEventListener("change", () => {
    if (file.files?.[0]) void actions.open(file.files[0]);
    file.value = "";
  });
  installExamples(pad);
  installDrop(pad, actions);

  /** @type {Record<string, () => void>} */
  const SHORTCUTS = {
    b: () => erase(false),
    e: () => erase(true),
    u: () => pad.undo(),
    c: () => pad.clear(),
    o: () => file.click(),
    m: actions.scale,
    "+": () => thicken(2),
    "=": () => thicken(2),
    "-": () => thicken(-2),
    "[": () => actions.step(-1, 0),
    "]": () => actions.step(1, 0),
    PageUp: () => actions.step(0, -1),
    PageDown: () => actions.step(0, 1),
    Escape: actions.close,
    "?": () => keys.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (keys.open || typing(event)) return;
    // With Caps Lock, or with Shift, a letter is the same key.
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const undo = (event.ctrlKey || event.metaKey) && !event.shiftKey && key === "z";
    if (!undo && (event.ctrlKey || event.metaKey || event.altKey)) return;
    if (WALKING.has(event.key) && !keeps(event) && actions.walk(event.key)) return event.preventDefault();
    const example = /^\d$/.test(key) ? () => pad.replay(Number(key)) : undefined;
    const action = undo ? SHORTCUTS.u : (example ?? SHORTCUTS[key]);
    if (!action) return;
    event.preventDefault();
    action();
  });
  return { update };
}

const WALKING = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Enter", "Backspace"]);

/**
 * Whether what has the focus needs a key for itself.
 * @param {KeyboardEvent} event
 */
function keeps({ key, target }) {
  if (!(target instanceof Element)) return false;
  if (key === "Enter") return target.matches("a, button, summary, [type=file]");
  return key !== "Backspace" && target.matches("drawing-pad *, layer-column *, input");
}

const TEXT = "textarea, input:not([type=radio], [type=checkbox], [type=range], [type=file])";
const SLIDING = new Set(["PageUp", "PageDown"]);

/** @param {KeyboardEvent} event whether it belongs to a field */
function typing({ key, target }) {
  if (!(target instanceof Element)) return false;
  return target.matches(`${TEXT}, select`) || (target.matches("[type=range]") && SLIDING.has(key));
}

/** @param {Actions} actions */
async function share(actions) {
  const address = await actions.share();
  const button = by("share");
  try {
    await navigator.clipboard.writeText(address);
    button.textContent = "Copied";
  } catch {
    // Without leave to write to the clipboard the address bar still names what is seen.
    button.textContent = "In the address bar";
  }
  setTimeout(() => (button.textContent = "Share"), 1600);
}

/** @param {import("./drawing-pad.js").DrawingPad} pad */
function installExamples(pad) {
  const buttons = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-example]"));
  for (const button of buttons) {
    const digit = Number(button.dataset.example);
    button.addEventListener("click", () => pad.replay(digit));
    const line = EXAMPLES[digit].map((points) => `M${points.join(" ")}`).join(" ");
    button.querySelector("path")?.setAttribute("d", line);
  }
}

/**
 * @param {import("./drawing-pad.js").DrawingPad} pad
 * @param {Actions} actions
 */
function installDrop(pad, actions) {
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    pad.toggleAttribute("data-drop", true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) pad.toggleAttribute("data-drop", false);
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    pad.toggleAttribute("data-drop", false);
    take(event.dataTransfer, actions);
  });
  document.addEventListener("paste", (event) => {
    // What is pasted into a field is the field's.
    if (event.target instanceof Element && event.target.matches(TEXT)) return;
    take(event.clipboardData, actions);
  });
}

/**
 * @param {DataTransfer | null} transfer
 * @param {Actions} actions
 */
function take(transfer, actions) {
  const [file] = transfer?.files ?? [];
  if (file) void actions.open(file);
  else actions.say("There is no picture in what you dropped or pasted. Choose a picture file.");
}
