// Asks before something is done that can't be undone, in a dialog of the page.

/**
 * Open a dialog and wait until it is closed.
 * @param {string} id
 * @param {string} [name] of what the question is about
 * @returns {Promise<boolean>} whether the answer was yes
 */
export function ask(id, name) {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById(id));
  const named = dialog.querySelector("[data-name]");
  if (named && name !== undefined) named.textContent = name;
  // Escape closes it without an answer.
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
