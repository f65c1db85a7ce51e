// Light, dark, or as the system has it; and the colour scales that go with it.

import { palette } from "./scales.js";

const KEY = "convscope-theme";
const ORDER = ["auto", "light", "dark"];
const system = matchMedia("(prefers-color-scheme: dark)");

const scales = JSON.parse(document.getElementById("scales")?.textContent ?? "{}");
const palettes = Object.fromEntries(
  Object.entries(scales).map(([theme, { sequential, diverging }]) => [
    theme,
    { sequential: palette(sequential), diverging: palette(diverging) },
  ]),
);
let line = 0;

let choice = localStorage.getItem(KEY) ?? "auto";

/** @type {"light" | "dark"} */
let current = "light";

/** @returns {"light" | "dark"} */
export const theme = () => current;

/**
 * The palette of the theme of now.
 * @param {boolean} signed
 * @returns {Uint32Array}
 */
export const colors = (signed) => palettes[theme()][signed ? "diverging" : "sequential"];

/** The colour of thin lines, in a canvas's byte order. */
export const lineColor = () => line;

const following = () => ORDER[(ORDER.indexOf(choice) + 1) % ORDER.length];

function apply() {
  const root = document.documentElement;
  const dark = choice === "auto" ? system.matches : choice === "dark";
  // Kept, since painters ask for every map, and the browser looks at the whole page to answer.
  current = dark ? "dark" : "light";
  root.dataset.theme = current;
  for (const [name, stops] of Object.entries(scales[current] ?? {})) {
    root.style.setProperty(`--${name}`, `linear-gradient(to right, ${stops.join()})`);
  }
  [line] = palette([getComputedStyle(root).getPropertyValue("--line").trim(), "#000000"]);
  const button = document.getElementById("theme");
  button?.setAttribute("aria-label", `Theme: ${choice}. Switch to ${following()}.`);
  button?.setAttribute("title", `Theme: ${choice}`);
  document.dispatchEvent(new Event("themechange"));
}

document.getElementById("theme")?.addEventListener("click", () => {
  choice = following();
  localStorage.setItem(KEY, choice);
  apply();
});
system.addEventListener("change", apply);
apply();
