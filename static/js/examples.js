// Ten digits as pen strokes in a square of 280, drawn by hand for this page and replayed on the
// pad. Each curve is a chain of points that the pad joins smoothly.

/** @typedef {import("./sketch.js").Point} Point */

/**
 * @param {number} x centre
 * @param {number} y centre
 * @param {number} rx
 * @param {number} ry
 * @param {number} from degrees, 0 to the right, clockwise
 * @param {number} to
 * @returns {Point[]}
 */
function arc(x, y, rx, ry, from, to) {
  const steps = Math.max(6, Math.round(Math.abs(to - from) / 12));
  return Array.from({ length: steps + 1 }, (_, i) => {
    const angle = ((from + ((to - from) * i) / steps) * Math.PI) / 180;
    return [x + rx * Math.cos(angle), y + ry * Math.sin(angle)];
  });
}

/** @type {Point[][][]} */
export const EXAMPLES = [
  [arc(140, 140, 58, 88, -100, 268)],
  [[[112, 92], [146, 58], [142, 140], [138, 224]]],
  [[...arc(138, 104, 52, 46, -170, 30), [150, 160], [92, 220], [140, 214], [196, 218]]],
  [[...arc(132, 96, 50, 42, -150, 80), ...arc(130, 182, 58, 46, -80, 150)]],
  [[[118, 56], [96, 108], [84, 152], [138, 150], [204, 146]], [[170, 92], [166, 160], [158, 230]]],
  [[[194, 62], [146, 62], [102, 64], [98, 98], [94, 130], ...arc(134, 170, 58, 52, -120, 145)]],
  [[[172, 52], [130, 90], [98, 150], ...arc(140, 180, 46, 46, -170, 190)]],
  [[[82, 70], [130, 66], [196, 64], [168, 120], [140, 176], [122, 228]]],
  [[...arc(140, 94, 42, 40, 60, -240), ...arc(140, 182, 52, 48, -120, 240), [162, 128]]],
  [[...arc(142, 100, 46, 46, -20, -350), [186, 104], [180, 160], [160, 228]]],
];
