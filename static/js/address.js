// The page's state and its address: the URL always names what is seen.

import { isUnit, mapsOf } from "./walking.js";

/** @typedef {{name: string, output_shape: number[]}} Shaped a layer */
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
 * What an address names that there isn't, in the words in which the server would refuse it.
 * @param {URL} url
 * @param {View} view what was read of it
 * @param {Shaped[]} layers those of the model
 * @returns {{words: string, view: View} | null} with the view that is left of it
 */
export function astray(url, view, layers) {
  const layer = layers.find(({ name }) => name === view.layer);
  if (view.layer === null) return null;
  if (!layer) {
    const names = layers.map(({ name }) => name).join(", ");
    const words = `${view.model} has no layer '${view.layer}'. Its layers are ${names}.`;
    return { words, view: { ...view, layer: null, channel: null, y: null, x: null } };
  }
  const words = astrayWithin(url, view, layer);
  if (!words) return null;
  const { channels } = mapsOf(layer.output_shape);
  const stays = layer.output_shape.length === 3 && view.channel !== null && view.channel < channels;
  return { words, view: { ...view, channel: stays ? view.channel : null, y: null, x: null } };
}

/**
 * @param {URL} url
 * @param {View} view
 * @param {Shaped} layer
 */
function astrayWithin({ searchParams }, { channel, y, x }, { name, output_shape: shape }) {
  const { channels, height, width } = mapsOf(shape);
  const [asked, row, column] = ["channel", "y", "x"].map((one) => searchParams.get(one));
  if (asked === null) return "";
  if (channel === null || channel >= channels) {
    return `${name} has no channel ${asked}. Its channels are 0 to ${channels - 1}.`;
  }
  if (row === null || column === null) return "";
  if (y !== null && x !== null && isUnit(shape, { channel, y, x })) return "";
  return `${name} has no unit in row ${row}, column ${column}. Its rows are 0 to ${height - 1} and its columns 0 to ${width - 1}.`;
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
