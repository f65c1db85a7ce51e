// A slider over a run's snapshots: scrubbed by hand, played, or following the run while it trains.

import "./confusion-matrix.js";
import "./number-grid.js";
import { allFilters, filtersInWords } from "./filters.js";
import { follow } from "./following.js";
import { ENDED } from "./history.js";
import { request } from "./request.js";
import { goodnessOf, placeOf, Timeline } from "./timeline.js";

/** @typedef {import("./timeline.js").Snapshot} Snapshot */

// Events that come together, as all do at first, lead to one request.
const SETTLE_MS = 200;

export class TimeMachine extends HTMLElement {
  /** Whether what is drawn is still on its way through the snapshot: playing waits for it. */
  busy = false;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #playing;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #renewing;
  /** @type {(() => void) | null} */
  #unfollow = null;

  connectedCallback() {
    const { snapshots, classes, epochs } = JSON.parse(this.querySelector("script")?.textContent ?? "{}");
    this.classes = classes;
    this.epochs = epochs;
    this.timeline = new Timeline(snapshots);
    this.slider = /** @type {HTMLInputElement} */ (this.querySelector("#time"));
    this.button = /** @type {HTMLButtonElement} */ (this.querySelector("#play"));
    this.speed = /** @type {HTMLSelectElement} */ (this.querySelector("#speed"));
    this.matrix = /** @type {import("./confusion-matrix.js").ConfusionMatrix} */ (this.querySelector("confusion-matrix"));
    this.grid = /** @type {import("./number-grid.js").NumberGrid} */ (this.querySelector("number-grid"));
    this.slider.addEventListener("input", () => {
      this.pause();
      this.#scrub(Number(this.slider?.value));
    });
    this.button.addEventListener("click", () => (this.#playing ? this.pause() : this.play()));
    this.speed.addEventListener("change", () => this.#playing && this.play());
    if (!ENDED.includes(this.dataset.state ?? "")) this.#follow();
  }

  disconnectedCallback() {
    this.pause();
    clearTimeout(this.#renewing);
    this.#unfollow?.();
  }

  /**
   * Show a snapshot, without telling anybody.
   * @param {string} model its name
   */
  show(model) {
    this.timeline?.goTo(model);
    this.#tell();
  }

  play() {
    clearInterval(this.#playing);
    const { timeline } = this;
    if (!timeline) return;
    if (timeline.place === timeline.last) this.#scrub(0);
    this.#playing = setInterval(() => {
      if (this.busy) return;
      if (timeline.place === timeline.last) this.pause();
      else this.#scrub(timeline.place + 1);
    }, 1000 / Number(this.speed?.value));
    this.#say(true);
  }

  pause() {
    clearInterval(this.#playing);
    this.#playing = undefined;
    this.#say(false);
  }

  /** @param {boolean} playing */
  #say(playing) {
    if (!this.button) return;
    this.button.textContent = playing ? "Pause" : "Play";
    this.button.setAttribute("aria-pressed", String(playing));
  }

  /** @param {number} place */
  #scrub(place) {
    const before = this.timeline?.now;
    const now = this.timeline?.go(place);
    this.#tell();
    if (now && now !== before) this.#leave(now);
  }

  /** What is looked at, in a line. */
  get title() {
    return this.timeline ? `${this.dataset.name}, ${placeOf(this.timeline.now, this.epochs).toLowerCase()}` : "";
  }

  /** @param {Snapshot} now */
  #leave(now) {
    this.dispatchEvent(new CustomEvent("scrub", { bubbles: true, detail: now }));
  }

  #tell() {
    const { timeline, slider } = this;
    if (!timeline || !slider) return;
    const [place, goodness] = [placeOf(timeline.now, this.epochs), goodnessOf(timeline.now)];
    slider.max = String(timeline.last);
    slider.value = String(timeline.place);
    slider.setAttribute("aria-valuetext", `${place}: ${goodness}`);
    this.#write(".time-place", place);
    this.#write(".time-says", goodness);
    this.matrix?.show(this.classes, timeline.now.confusion);
  }

  /**
   * @param {string} where
   * @param {string} text
   */
  #write(where, text) {
    const element = this.querySelector(where);
    if (element && element.textContent !== text) element.textContent = text;
  }

  /**
   * The filters of a layer as they are at this point.
   * @param {{name: string, weight_shape: number[] | null}} layer
   * @param {import("./safetensors.js").Tensor} weights all its filters, or the first ones
   */
  showFilters(layer, weights) {
    this.#write(".time-filters", `${layer.name}: ${filtersInWords(weights, layer.weight_shape?.[0] ?? 0)}`);
    this.grid?.show(allFilters(weights, "layer"));
  }

  #follow() {
    this.#unfollow = follow(
      this.dataset.events ?? "",
      (_, kind, facts) => {
        if (kind !== "snapshot" || this.timeline?.has(facts.epoch)) return;
        clearTimeout(this.#renewing);
        this.#renewing = setTimeout(() => void this.#renew(), SETTLE_MS);
      },
      () => {},
    );
  }

  async #renew() {
    const response = await request(this.dataset.api ?? "").catch(() => null);
    const { timeline } = this;
    if (!response || !timeline) return; // The next snapshot brings the next try.
    const before = timeline.now;
    timeline.renew(await response.json());
    this.#tell();
    if (timeline.now.model !== before.model) this.#leave(timeline.now);
  }
}

customElements.define("time-machine", TimeMachine);
