// From what is typed into the form of sweeps to a plan, and how many runs it makes.

/** As the server has it. */
export const MOST_RUNS = 100;

/**
 * @typedef {object} Typed what a field that varies has in the form
 * @property {string} name
 * @property {"list" | "linear" | "log"} kind
 * @property {string} values of a list, with commas
 * @property {string} low of a range
 * @property {string} high
 *
 * @typedef {unknown[] | {low: unknown, high: unknown, scale: string}} Choices
 */

/** What is no number goes to the server as it is, which says so. @param {string} text */
const number = (text) => (text.trim() === "" || Number.isNaN(Number(text)) ? text.trim() : Number(text));

/**
 * The values of a list: names, numbers, or augmentations as JSON.
 * @param {string} text
 * @param {boolean} numeric
 * @returns {unknown[]}
 */
export function readValues(text, numeric) {
  if (/[[{]/.test(text)) {
    try {
      return JSON.parse(`[${text}]`);
    } catch {
      return [text.trim()];
    }
  }
  const parts = text.split(",").map((part) => part.trim()).filter(Boolean);
  return numeric ? parts.map(number) : parts;
}

/**
 * @param {Typed} typed
 * @param {boolean} numeric whether the field holds a number
 * @returns {Choices}
 */
export function readChoices(typed, numeric) {
  if (typed.kind === "list") return readValues(typed.values, numeric);
  return { low: number(typed.low), high: number(typed.high), scale: typed.kind };
}

/**
 * @param {string} search "grid" or "random"
 * @param {Choices[]} fields
 * @param {unknown} samples
 * @returns {number} of runs; 0 where there is something to be typed yet
 */
export function countRuns(search, fields, samples) {
  if (!fields.length || fields.some((one) => Array.isArray(one) && !one.length)) return 0;
  if (search === "random") return Number.isInteger(samples) && Number(samples) > 0 ? Number(samples) : 0;
  return fields.reduce((runs, one) => runs * (Array.isArray(one) ? one.length : 0), 1);
}

/**
 * How many runs a plan makes, as a sentence.
 * @param {string} search
 * @param {Choices[]} fields
 * @param {unknown} samples
 */
export function sayCount(search, fields, samples) {
  if (!fields.length) return "Choose a field to vary.";
  const runs = countRuns(search, fields, samples);
  if (!runs) return search === "random" ? "Say how many samples, and between what." : "Type the values to try.";
  if (runs > MOST_RUNS) return `This makes ${runs} runs; ${MOST_RUNS} are the most.`;
  return `This makes ${runs} ${runs === 1 ? "run" : "runs"}.`;
}
