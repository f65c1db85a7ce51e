// The list of models, in which all snapshots and edited models have one line.

/**
 * Name the model that is shown, in the list and above the answer.
 * @param {HTMLSelectElement} picker
 * @param {string} model
 * @param {import("./model-view.js").ModelView} shown
 */
export function nameModel(picker, model, { title, editor: { caption } }) {
  if (title) {
    const passing = /** @type {HTMLOptionElement | null} */ (picker.querySelector("[data-passing]"));
    const option = passing ?? new Option();
    option.dataset.passing = "";
    if (!passing) picker.prepend(option);
    option.value = model;
    option.text = title;
  }
  picker.value = model;
  const words = document.querySelector(".answer-title");
  if (words instanceof HTMLElement) words.textContent = caption || (words.dataset.title ?? "");
  document.querySelector(".answer-measured")?.toggleAttribute("hidden", !!caption);
}
