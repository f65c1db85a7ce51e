// Which class is taken for which, as numbers and words.

/**
 * How strongly a cell is shaded, 0 to 10: a right one by tenths of its row, a wrong one, as those
 * are few, by hundredths.
 * @param {number} count
 * @param {number} all of the row
 * @param {boolean} right
 */
export function shade(count, all, right) {
  return Math.min(10, Math.ceil((count / Math.max(1, all)) * (right ? 10 : 100)));
}

/**
 * The pairs of classes that are confused most often: true class, what it is taken for, how often.
 * @param {number[][]} confusion a row per true class
 * @param {number} most
 * @returns {[number, number, number][]}
 */
export function mostConfused(confusion, most) {
  const pairs = confusion.flatMap((row, actual) =>
    row.map((count, taken) => /** @type {[number, number, number]} */ ([actual, taken, count])),
  );
  return pairs
    .filter(([actual, taken, count]) => actual !== taken && count > 0)
    .sort((one, other) => other[2] - one[2])
    .slice(0, most);
}
