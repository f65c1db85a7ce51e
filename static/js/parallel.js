// Parallel coordinates as numbers: an axis for each field that varies and one for the accuracy;
// each run is a line over all of them.

/**
 * @typedef {object} SweptRun as the API answers it
 * @property {string} id
 * @property {string} name
 * @property {string} state
 * @property {Record<string, any>} values
 * @property {number} epoch
 * @property {number} epochs
 * @property {number | null} best_accuracy
 * @property {string | null} reason
 *
 * @typedef {object} Axis places lie in 0..1, from the bottom up
 * @property {string} name
 * @property {(run: SweptRun) => number} place
 * @property {{at: number, text: string}[]} ticks
 *
 * @typedef {{low: number, high: number}} Span
 */

const FEW = 5;

/** A value in words. @param {unknown} value @returns {string} */
export function sayValue(value) {
  if (Array.isArray(value)) return value.map(sayValue).join(" + ") || "none";
  if (value !== null && typeof value === "object") return String(/** @type {any} */ (value).name);
  return typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value);
}

/**
 * Round numbers within a span, equally far apart.
 * @param {Span} span
 * @returns {number[]}
 */
export function linearTicks({ low, high }) {
  const rough = (high - low) / FEW;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough * (1 - 1e-9)) ?? rough;
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, at) => Number(((first + at) * step).toPrecision(12)));
}

/**
 * The powers of ten within a span; where they are few, their double and their fivefold, too.
 * @param {Span} span above zero
 * @returns {number[]}
 */
export function logTicks({ low, high }) {
  /** @type {number[]} */
  const powers = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) powers.push(power);
  const within = (/** @type {number[]} */ steps) =>
    powers.flatMap((power) => steps.map((step) => Number(`${step}e${power}`))).filter((one) => one >= low && one <= high);
  const tens = within([1]);
  if (tens.length > 2) return tens;
  const more = within([1, 2, 5]);
  return more.length > 1 ? more : [low, high];
}

/**
 * Where a number lies within a span; halfway where all are the same.
 * @param {number} value
 * @param {Span} span
 */
export const shareOf = (value, { low, high }) => (high > low ? (value - low) / (high - low) : 0.5);

/**
 * The accuracies of those runs that have one.
 * @param {SweptRun[]} runs
 * @returns {Span | null}
 */
export function accuracySpan(runs) {
  const all = runs.flatMap((run) => run.best_accuracy ?? []);
  return all.length ? { low: Math.min(...all), high: Math.max(...all) } : null;
}

/**
 * @param {Record<string, any>} fields of the plan: lists and ranges
 * @param {SweptRun[]} runs
 * @returns {Axis[]} the last one is the accuracy
 */
export function axesOf(fields, runs) {
  const varied = Object.entries(fields).map(([name, among]) =>
    Array.isArray(among) ? listAxis(name, runs) : rangeAxis(name, among),
  );
  return [...varied, accuracyAxis(runs)];
}

/**
 * Each value at an equal distance: numbers by size, words in the order of the runs.
 * @param {string} name
 * @param {SweptRun[]} runs
 * @returns {Axis}
 */
function listAxis(name, runs) {
  const values = runs.map((run) => run.values[name]);
  const keys = [...new Map(values.map((value) => [JSON.stringify(value), value]))];
  if (keys.every(([, value]) => typeof value === "number")) keys.sort(([, a], [, b]) => a - b);
  const at = (/** @type {number} */ place) => (keys.length > 1 ? place / (keys.length - 1) : 0.5);
  const places = new Map(keys.map(([key], place) => [key, at(place)]));
  return {
    name,
    place: (run) => places.get(JSON.stringify(run.values[name])) ?? 0.5,
    ticks: keys.map(([, value], place) => ({ at: at(place), text: sayValue(value) })),
  };
}

/**
 * @param {string} name
 * @param {{low: number, high: number, scale: string}} range
 * @returns {Axis}
 */
function rangeAxis(name, range) {
  const log = range.scale === "log";
  const scaled = (/** @type {number} */ value) => (log ? Math.log(value) : value);
  const span = { low: scaled(range.low), high: scaled(range.high) };
  const at = (/** @type {number} */ value) => shareOf(scaled(value), span);
  const ticks = log ? logTicks(range) : linearTicks(range);
  return {
    name: log ? `${name} (log)` : name,
    place: (run) => at(run.values[name]),
    ticks: ticks.map((tick) => ({ at: at(tick), text: sayValue(tick) })),
  };
}

/**
 * @param {SweptRun[]} runs
 * @returns {Axis}
 */
function accuracyAxis(runs) {
  const span = accuracySpan(runs);
  const percent = span && { low: span.low * 100, high: span.high * 100 };
  const ticks = !percent ? [] : percent.high > percent.low ? linearTicks(percent) : [percent.low];
  return {
    name: "accuracy",
    place: (run) => (span ? shareOf(run.best_accuracy ?? span.low, span) : 0.5),
    ticks: ticks.map((tick) => ({ at: percent ? shareOf(tick, percent) : 0.5, text: `${Number(tick.toPrecision(4))} %` })),
  };
}

/**
 * A run's line.
 * @param {SweptRun} run
 * @param {Axis[]} axes
 * @param {{left: number, top: number, width: number, height: number}} box
 * @returns {string} the d of a path
 */
export function pathOf(run, axes, box) {
  const points = axes.map((axis, at) => {
    const x = box.left + (axes.length > 1 ? (at / (axes.length - 1)) * box.width : 0);
    return `${round(x)} ${round(box.top + (1 - axis.place(run)) * box.height)}`;
  });
  return `M${points.join("L")}`;
}

const round = (/** @type {number} */ value) => Math.round(value * 10) / 10;

/**
 * The runs in the order of a column; those without a value come last, either way.
 * @template T
 * @param {T[]} runs
 * @param {(run: T) => unknown} column
 * @param {boolean} falling
 * @returns {T[]}
 */
export function sorted(runs, column, falling) {
  const missing = (/** @type {unknown} */ value) => value === null || value === undefined;
  return [...runs].sort((one, other) => {
    const [a, b] = [column(one), column(other)];
    if (missing(a) || missing(b)) return Number(missing(a)) - Number(missing(b));
    const ahead = typeof a === "number" && typeof b === "number" ? a - b : sayValue(a).localeCompare(sayValue(b));
    return falling ? -ahead : ahead;
  });
}
