// Numbers as they are shown, rounded so that what is shown adds up to the sum that is shown.

/**
 * Parts and their sum with so many decimals. The sum is rounded as usual; each part is rounded up
 * or down, by the method of the largest remainder, until they add up to it.
 * @param {number[]} parts
 * @param {number} sum of the parts
 * @param {number} digits decimals
 * @returns {{parts: string[], sum: string, without: (place: number) => string}} `without` is the
 *   sum of all parts but one
 */
export function addingUp(parts, sum, digits) {
  const scale = 10 ** digits;
  const total = Math.round(sum * scale);
  const rounded = parts.map((part) => Math.floor(part * scale));
  const missing = total - rounded.reduce((all, one) => all + one, 0);
  const remainder = (/** @type {number} */ place) => parts[place] * scale - rounded[place];
  const order = parts.map((_, place) => place).sort((a, b) => remainder(b) - remainder(a));
  // Where rounding errors of the sum itself are shown, more than one may be missing for each.
  for (let one = 0; one < missing; one++) rounded[order[one % order.length]]++;
  for (let one = 0; one > missing && order.length; one--) rounded[order.at((one - 1) % order.length) ?? 0]--;
  return {
    parts: rounded.map((one) => decimal(one, digits)),
    sum: decimal(total, digits),
    without: (place) => decimal(total - rounded[place], digits),
  };
}

/**
 * A number with so many decimals.
 * @param {number} value
 * @param {number} digits
 */
export const rounded = (value, digits) => decimal(Math.round(value * 10 ** digits), digits);

/**
 * @param {number} count of units of the last decimal
 * @param {number} digits
 */
function decimal(count, digits) {
  const figures = String(Math.abs(count)).padStart(digits + 1, "0");
  const sign = count < 0 ? "−" : "";
  return `${sign}${figures.slice(0, -digits)}.${figures.slice(-digits)}`;
}
