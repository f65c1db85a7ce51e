// The form that starts a run.

import { RecipeForm } from "./recipe-form.js";

const form = new RecipeForm(/** @type {HTMLFormElement} */ (document.getElementById("train")));

async function train() {
  const run = await form.send(form.recipe());
  if (run) location.assign(`${location.pathname}/${run}`);
}

form.form.addEventListener("submit", (event) => {
  event.preventDefault();
  void train();
});
