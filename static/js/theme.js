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

const chosen = () => localStorage.getItem(KEY) ?? "auto";

/** @returns {"light" | "dark"} */
export function theme() {
  const choice = chosen();
  if (choice === "light" || choice === "dark") return choice;
  return system.matches ? "dark" : "light";
}

/**
 * The palette of the theme of now.
 * @param {boolean} signed
 * @returns {Uint32Array}
 */
export const colors = (signed) => palettes[theme()][signed ? "diverging" : "sequential"];

function apply() {
  document.documentElement.dataset.theme = theme();
  const button = document.getElementById("theme");
  const next = ORDER[(ORDER.indexOf(chosen()) + 1) % ORDER.length];
  button?.setAttribute("aria-label", `Theme: ${chosen()}. Switch to ${next}.`);
  button?.setAttribute("title", `Theme: ${chosen()}`);
  document.dispatchEvent(new Event("themechange"));
}

document.getElementById("theme")?.addEventListener("click", () => {
  localStorage.setItem(KEY, ORDER[(ORDER.indexOf(chosen()) + 1) % ORDER.length]);
  apply();
});
system.addEventListener("change", apply);
apply();
