// How many maps fit into a column, and where each one lies. Numbers only; painters use them.

/**
 * @typedef {object} Tiling
 * @property {number} across tiles in a row
 * @property {number} shown how many of the maps are shown
 * @property {number} width of a tile
 * @property {number} height of a tile
 * @property {number} gap between tiles
 * @property {number} margin around all of them
 */

// Each tile has a frame of one pixel around it.
const GAP = 2;
const MARGIN = 1;
const SMALLEST = 9;
// A lone number needs no more room than this to show its colour.
const LARGEST_NUMBER = 24;

/**
 * The largest tiles with which all maps fit into the column; if even the smallest don't, as many
 * as fit.
 * @param {number} count how many maps there are
 * @param {{width: number, height: number}} map size of a map in numbers
 * @param {{width: number, height: number}} room size of the column in pixels
 * @returns {Tiling}
 */
export function tile(count, map, room) {
  return framed(count, map, { width: room.width - 2 * MARGIN, height: room.height - 2 * MARGIN });
}

/**
 * @param {number} count
 * @param {{width: number, height: number}} map
 * @param {{width: number, height: number}} room within the margin
 * @returns {Tiling}
 */
function framed(count, map, room) {
  let best = fit(1, count, map, room);
  const most = Math.min(count, Math.floor((room.width + GAP) / (SMALLEST + GAP)));
  for (let across = 2; across <= most; across++) {
    const next = fit(across, count, map, room);
    if (next.width > best.width) best = next;
  }
  return best.width >= SMALLEST || count === 1 ? best : fill(count, map, room);
}

/**
 * All maps in rows of so many.
 * @param {number} across
 * @param {number} count
 * @param {{width: number, height: number}} map
 * @param {{width: number, height: number}} room
 * @returns {Tiling}
 */
function fit(across, count, map, room) {
  const rows = Math.ceil(count / across);
  const high = (room.height - GAP * (rows - 1)) / rows;
  const wide = (room.width - GAP * (across - 1)) / across;
  const widest = Math.min(wide, LARGEST_NUMBER * map.width, (high * map.width) / map.height);
  return { across, shown: count, ...sized(Math.floor(widest), map), gap: GAP, margin: MARGIN };
}

/**
 * As many of the smallest tiles as there is room for.
 * @param {number} count
 * @param {{width: number, height: number}} map
 * @param {{width: number, height: number}} room
 * @returns {Tiling}
 */
function fill(count, map, room) {
  const size = sized(SMALLEST, map);
  const across = Math.max(1, Math.floor((room.width + GAP) / (size.width + GAP)));
  const rows = Math.max(1, Math.floor((room.height + GAP) / (size.height + GAP)));
  return { across, shown: Math.min(count, rows * across), ...size, gap: GAP, margin: MARGIN };
}

/**
 * @param {number} width
 * @param {{width: number, height: number}} map
 */
function sized(width, map) {
  const whole = Math.max(1, width);
  return { width: whole, height: Math.max(1, Math.floor((whole * map.height) / map.width)) };
}

/**
 * Where tile number `place` begins.
 * @param {Tiling} tiling
 * @param {number} place
 */
export function origin(tiling, place) {
  return {
    left: tiling.margin + (place % tiling.across) * (tiling.width + tiling.gap),
    top: tiling.margin + Math.floor(place / tiling.across) * (tiling.height + tiling.gap),
  };
}

/**
 * The size of all tiles together.
 * @param {Tiling} tiling
 */
export function extent(tiling) {
  const rows = Math.ceil(tiling.shown / tiling.across);
  return {
    width: tiling.across * (tiling.width + tiling.gap) - tiling.gap + 2 * tiling.margin,
    height: rows * (tiling.height + tiling.gap) - tiling.gap + 2 * tiling.margin,
  };
}

/**
 * The channels with the largest mean absolute activation, strongest first; all of them in their
 * own order where all are shown.
 * @param {ArrayLike<number>} values the maps one after another
 * @param {number} count how many maps there are
 * @param {number} shown how many are wanted
 * @returns {number[]}
 */
export function strongest(values, count, shown) {
  const channels = Array.from({ length: count }, (_, channel) => channel);
  if (shown >= count) return channels;
  const size = values.length / count;
  const strength = channels.map((channel) => {
    let sum = 0;
    for (let at = channel * size; at < (channel + 1) * size; at++) sum += Math.abs(values[at]);
    return sum;
  });
  return channels.sort((a, b) => strength[b] - strength[a]).slice(0, shown);
}
