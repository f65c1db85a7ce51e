// The page's state and its address: the URL always names what is seen.

/**
 * @typedef {object} View
 * @property {string} model
 * @property {string | null} image id of a kept picture
 * @property {string | null} layer
 * @property {number | null} channel
 * @property {number | null} y of the unit whose card is open, with x; null where none is
 * @property {number | null} x
 * @property {"map" | "layer"} scale one colour scale per map, or one per layer
 */

/**
 * @param {URL} url
 * @param {string} model the model that the page was served with
 * @returns {View}
 */
export function readView(url, model) {
  const query = url.searchParams;
  const whole = (/** @type {string} */ name) => {
    const text = query.get(name);
    return text !== null && /^\d+$/.test(text) ? Number(text) : null;
  };
  const [channel, y, x] = ["channel", "y", "x"].map(whole);
  const unit = channel !== null && y !== null && x !== null;
  return {
    model: query.get("model") ?? model,
    image: query.get("image"),
    layer: query.get("layer"),
    channel,
    y: unit ? y : null,
    x: unit ? x : null,
    scale: query.get("scale") === "layer" ? "layer" : "map",
  };
}

/**
 * @param {URL} url the page's address; what is not part of the view is kept
 * @param {View} view
 * @returns {URL}
 */
export function writeView(url, view) {
  const next = new URL(url);
  /** @type {[string, string | number | null][]} */
  const pairs = [
    ["model", view.model],
    ["image", view.image],
    ["layer", view.layer],
    ["channel", view.layer === null ? null : view.channel],
    ["y", view.layer === null ? null : view.y],
    ["x", view.layer === null ? null : view.x],
    ["scale", view.scale === "layer" ? "layer" : null],
  ];
  for (const [name, value] of pairs) {
    if (value === null) next.searchParams.delete(name);
    else next.searchParams.set(name, String(value));
  }
  return next;
}

/**
 * The model that was edited to make another; else the model itself.
 * @param {string} model
 */
export const baseOf = (model) => model.split("~")[0];

/** @param {string} model */
const networkOf = (model) => baseOf(model).replace(/@.*/, "@");

/**
 * Whether two models are the same, or snapshots of the same run, edited or not: then they differ in
 * numbers alone.
 * @param {string} one
 * @param {string} other
 */
export const sameNetwork = (one, other) => networkOf(one) === networkOf(other);
