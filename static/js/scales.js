// Colour scales: from numbers to colours. The stops come from the server, which says them once
// for pictures and page alike.

/** @typedef {{sequential: string[], diverging: string[]}} Scales */
/** @typedef {{low: number, high: number}} Span */

/**
 * A scale as 256 colours, linear between its stops, in a canvas's byte order.
 * @param {string[]} stops colours as #rrggbb
 * @returns {Uint32Array}
 */
export function palette(stops) {
  const colors = stops.map((stop) => [1, 3, 5].map((at) => parseInt(stop.slice(at, at + 2), 16)));
  const entries = new Uint32Array(256);
  for (let index = 0; index < 256; index++) {
    const place = (index / 255) * (stops.length - 1);
    const below = Math.min(Math.floor(place), stops.length - 2);
    const share = place - below;
    const [red, green, blue] = [0, 1, 2].map((c) =>
      Math.round(colors[below][c] * (1 - share) + colors[below + 1][c] * share),
    );
    entries[index] = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  }
  return entries;
}

/**
 * What a scale spans: 0 to the largest value, or as far below zero as above.
 * @param {ArrayLike<number>} values
 * @param {boolean} signed
 * @param {number} [start] index of the first value
 * @param {number} [end] index behind the last
 * @returns {Span}
 */
export function spanOf(values, signed, start = 0, end = values.length) {
  let largest = 0;
  for (let at = start; at < end; at++) {
    const size = Math.abs(values[at]);
    if (size > largest) largest = size;
  }
  const high = largest || 1;
  return { low: signed ? -high : 0, high };
}

/**
 * A number for people: four decimals, or as many digits as it takes to be told from zero.
 * @param {number} value
 */
export function format(value) {
  if (value === 0 || Object.is(value, -0)) return "0";
  const size = Math.abs(value);
  const text = size >= 0.001 && size < 10000 ? value.toFixed(4) : value.toExponential(3);
  return text.replaceAll("-", "−");
}

/**
 * A probability as a percentage that never claims certainty that isn't there.
 * @param {number} probability
 */
export function percent(probability) {
  if (probability > 0.99995 && probability < 1) return "> 99.99";
  if (probability > 0 && probability < 0.00005) return "< 0.01";
  return (probability * 100).toFixed(2);
}
