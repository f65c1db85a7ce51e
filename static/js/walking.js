// Ways from one unit to another: to its neighbours, and to the units that it reads. No page needed.

/**
 * @typedef {object} Term what one channel that was read contributes
 * @property {string} source the layer that was read
 * @property {number} channel
 * @property {number[] | null} index of the one unit that was read, where it is one
 * @property {number} subtotal
 * @property {(number | null)[][]} inputs
 * @property {number[][] | null} weights
 * @property {(number | null)[][] | null} products
 */
/**
 * @typedef {object} Unit how a number came about, as GET .../units/{channel}/{y}/{x} tells it
 * @property {string} layer
 * @property {string} kind
 * @property {number[]} index channel, y, x
 * @property {number} value
 * @property {number} computed
 * @property {number} difference
 * @property {{dtype: string, computed: number, difference: number}} own_precision
 * @property {boolean} agrees
 * @property {string} formula
 * @property {string[]} reads
 * @property {{rows: (number | null)[], columns: (number | null)[], padding: string | null} | null} window
 * @property {Term[]} terms
 * @property {number} offset
 * @property {number} count
 * @property {number} total
 * @property {{count: number, subtotal: number}} rest
 * @property {number | null} bias
 * @property {number | null} sum
 * @property {Record<string, any>} details
 * @property {{layer: string, kind: string, index: number[], value: number}[]} next
 * @property {{top: number, left: number, height: number, width: number, padded: Record<"top" | "left" | "bottom" | "right", number>}} receptive_field
 */
/** @typedef {{layer: string, channel: number, y: number, x: number}} Place of a unit */

/**
 * How many channels a layer has, and the size of its maps; units without a map are channels of
 * 1 × 1.
 * @param {number[]} shape without the batch
 */
export const mapsOf = ([channels, height = 1, width = 1]) => ({ channels, height, width });

/**
 * @param {number[]} shape of a layer's output
 * @param {{channel: number, y: number, x: number}} place
 */
export function isUnit(shape, { channel, y, x }) {
  const { channels, height, width } = mapsOf(shape);
  return channel < channels && y < height && x < width;
}

/**
 * The neighbour of a unit: in its map, or in the row that a layer without maps is.
 * @param {number[]} shape of the layer's output
 * @param {Place} place
 * @param {number} dx
 * @param {number} dy
 * @returns {Place | null} null at the border
 */
export function neighbour(shape, place, dx, dy) {
  const next = shape.length === 1
    ? { ...place, channel: place.channel + dx + dy }
    : { ...place, y: place.y + dy, x: place.x + dx };
  return Math.min(next.channel, next.y, next.x) >= 0 && isUnit(shape, next) ? next : null;
}

/**
 * The unit after this one, line by line, and from the last back to the first.
 * @param {number[]} shape
 * @param {Place} place
 * @returns {Place}
 */
export function following(shape, place) {
  const { channels, height, width } = mapsOf(shape);
  if (shape.length === 1) return { ...place, channel: (place.channel + 1) % channels };
  const next = (place.y * width + place.x + 1) % (height * width);
  return { ...place, y: Math.floor(next / width), x: next % width };
}

/**
 * The unit in another layer that lies where this one does, as far as there is one.
 * @param {number[]} from shape of the layer that is left
 * @param {number[]} to shape of the layer that is entered
 * @param {Place} place
 * @param {string} layer
 * @returns {Place}
 */
export function carried(from, to, place, layer) {
  const [old, now] = [mapsOf(from), mapsOf(to)];
  const along = (/** @type {number} */ at, /** @type {number} */ before, /** @type {number} */ size) =>
    Math.min(size - 1, Math.floor(((at + 0.5) * size) / before));
  return {
    layer,
    channel: Math.min(place.channel, now.channels - 1),
    y: along(place.y, old.height, now.height),
    x: along(place.x, old.width, now.width),
  };
}

/**
 * The unit that stands in a place of a term's window; null in the padding.
 * @param {Unit} unit
 * @param {Term} term
 * @param {number} row of the window
 * @param {number} column
 * @returns {Place | null}
 */
export function inputAt(unit, term, row, column) {
  if (!unit.window) {
    const [channel, y, x] = term.index ?? [term.channel, 0, 0];
    return { layer: term.source, channel, y, x };
  }
  const [y, x] = [unit.window.rows[row], unit.window.columns[column]];
  return y === null || x === null ? null : { layer: term.source, channel: term.channel, y, x };
}

/**
 * The unit that counts most among those that a unit reads: the winner of a max-pool, or else the
 * one with the largest product in a term.
 * @param {Unit} unit
 * @param {number} [which] of its terms
 * @returns {Place | null} null where it reads nothing that is a unit
 */
export function strongestInput(unit, which = 0) {
  const term = unit.terms[which];
  if (unit.kind.endsWith("softmax")) {
    return { layer: unit.reads[0], channel: unit.index[0], y: 0, x: 0 };
  }
  if (!term) return null;
  if (unit.details.winner) {
    const [y, x] = unit.details.winner;
    return { layer: term.source, channel: term.channel, y, x };
  }
  /** @type {Place | null} */
  let best = null;
  let most = -1;
  (term.products ?? term.inputs).forEach((numbers, row) =>
    numbers.forEach((number, column) => {
      const place = number === null ? null : inputAt(unit, term, row, column);
      if (!place || Math.abs(number ?? 0) <= most) return;
      most = Math.abs(number ?? 0);
      best = place;
    }),
  );
  return best;
}

/**
 * The window that a unit reads, in numbers of the map; it may stick out where there is padding.
 * @param {Unit} unit
 */
export function windowBox({ window, terms: [term] }) {
  if (!window) return term?.index ? { y: term.index[1], x: term.index[2], height: 1, width: 1 } : null;
  const [rows, columns] = [window.rows, window.columns].map((places) => {
    const first = places.findIndex((place) => place !== null);
    const step = places.length < 2 || first < 0 ? 1 : stepOf(places);
    return { from: (places[first] ?? 0) - Math.max(0, first) * step, size: (places.length - 1) * step + 1 };
  });
  return { y: rows.from, x: columns.from, height: rows.size, width: columns.size };
}

/**
 * How far apart a window's places are: 1, unless it is dilated.
 * @param {(number | null)[]} places
 */
function stepOf(places) {
  const at = places.findIndex((place, index) => place !== null && (places[index + 1] ?? null) !== null);
  return at < 0 ? 1 : Math.abs(/** @type {number} */ (places[at + 1]) - /** @type {number} */ (places[at]));
}
