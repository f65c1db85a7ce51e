// The page of a model: it becomes the default, or is deleted after a question.

import { ask } from "./asking.js";
import { Refusal, request } from "./request.js";

const page = /** @type {HTMLElement} */ (document.getElementById("model"));
const refusal = /** @type {HTMLElement} */ (document.getElementById("refusal"));
const api = page.dataset.api ?? "";

/**
 * Ask the server for a change, and say in the page what it refuses.
 * @param {string} path
 * @param {string} method
 */
async function change(path, method) {
  refusal.hidden = true;
  try {
    return await request(`${api}${path}`, { method });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    refusal.textContent = error.message;
    refusal.hidden = false;
    return null;
  }
}

document.getElementById("make-default")?.addEventListener("click", async () => {
  if (await change("/default", "PUT")) location.reload();
});

document.getElementById("delete-model")?.addEventListener("click", async () => {
  // What breaks stands in the question.
  if ((await ask("delete")) && (await change("?force=true", "DELETE"))) location.assign(page.dataset.pages ?? "");
});
