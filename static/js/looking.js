// What of a large network is looked at: no more than that is asked for, sent and painted. A small
// one is asked for whole. Numbers and words only.

/** @typedef {import("./safetensors.js").Tensor} Tensor */
/**
 * @typedef {object} Picked what the server says of a layer of which it sends some channels
 * @property {number[]} channels those in the tensor, in its order
 * @property {number} smallest of the whole layer, as all that follows
 * @property {number} largest
 * @property {number} mean
 * @property {number} zeros the share of activations that are 0
 */
/**
 * @typedef {object} Column
 * @property {string} name
 * @property {number} count of the layer's maps
 * @property {number} shown how many of them have a place in the column
 */
/**
 * @typedef {object} Opened what the inspector shows; `channel` is null for the whole layer
 * @property {{name: string, output_shape: number[], weight_shape: number[] | null, reads: string[], channelwise: boolean}} layer
 * @property {number | null} channel
 */

// Numbers in all layers of a network that is sent whole at every stroke: 2 MB.
const WHOLE = 2 ** 19;
// Numbers of a column, and of a layer or filters in the inspector: 256 kB and 1 MB.
const COLUMN = 2 ** 16;
const OPENED = 2 ** 18;
// Pixels of all filters' kernels in the inspector: 8 MB, which the browser holds twice or three times.
const PAINTED = 2 ** 21;
/** Where not everything fits, a number takes so many pixels across, and so many lie between tiles. */
export const ZOOM = 3;
export const GAP = 3;
// However large they are, so many maps or filters are shown.
const FEWEST = 4;

/** @param {number[]} shape */
const sizeOf = (shape) => shape.reduce((product, side) => product * side, 1);

/** @param {number[][]} shapes of all layers' activations */
export function isLarge(shapes) {
  return shapes.reduce((sum, shape) => sum + sizeOf(shape), 0) > WHOLE;
}

/** @param {number} size numbers of one map */
export function mostInColumn(size) {
  return Math.max(FEWEST, Math.floor(COLUMN / size));
}

/** @param {number} size numbers of one map or one row of weights */
function mostOpened(size) {
  return Math.max(FEWEST, Math.floor(OPENED / size));
}

/** @param {number[]} shape of a layer's weights: its filters or rows come first */
export function mostFilters([, ...shape]) {
  const most = mostOpened(sizeOf(shape));
  const [kernels, height, width] = shape;
  if (shape.length < 3) return most;
  const painted = kernels * (ZOOM * height + GAP) * (ZOOM * width + GAP);
  return Math.min(most, Math.max(FEWEST, Math.floor(PAINTED / painted)));
}

/**
 * The words of a trace's `layers`, which name all that is looked at.
 * @param {Column[]} columns those in view
 * @param {Opened | null} opened
 */
export function wordsFor(columns, opened) {
  const words = columns.filter(({ name }) => name !== "input").map(some);
  if (opened && opened.layer.name !== "input") words.push(...wordsOf(opened));
  return words;
}

/** @param {Column} column */
function some({ name, count, shown }) {
  return shown < count ? `${name}:${shown}` : name;
}

/** @param {Opened} opened */
function wordsOf({ layer: { name, output_shape: shape, weight_shape, reads, channelwise }, channel }) {
  if (shape.length < 3) return [name];
  if (channel === null) return [some({ name, count: shape[0], shown: mostOpened(shape[1] * shape[2]) })];
  // The inspector shows the map that was read, too, where there is no filter to show.
  const before = channelwise && weight_shape?.length !== 4 && reads[0] !== "input";
  return [`${name}@${channel}`, ...(before ? [`${reads[0]}@${channel}`] : [])];
}

/**
 * Note on each tensor what the server says of its channels.
 * @param {Map<string, Tensor>} tensors
 * @param {Record<string, string>} metadata
 */
export function notePicked(tensors, metadata) {
  for (const [name, picked] of Object.entries(JSON.parse(metadata.picked ?? "{}"))) {
    const tensor = tensors.get(name);
    if (tensor) tensor.picked = picked;
  }
}

/**
 * The numbers of one channel; null where they weren't sent.
 * @param {Tensor} tensor
 * @param {number} channel
 */
export function channelOf({ data, shape, picked }, channel) {
  const place = picked ? picked.channels.indexOf(channel) : channel;
  const size = data.length / shape[0];
  return place < 0 ? null : data.subarray(place * size, (place + 1) * size);
}
