import assert from "node:assert/strict";
import { test } from "node:test";
import { align, nearest, readCsv, thin } from "../../static/js/curves.js";
import { bestOf, emptyHistory, take } from "../../static/js/history.js";
import { describe, inWords, secondsLeft, share } from "../../static/js/progress.js";
import { readList, writeList } from "../../static/js/run-list.js";

/**
 * @param {[string, any][]} events
 * @returns {import("../../static/js/history.js").History}
 */
function historyOf(events) {
  const history = emptyHistory();
  events.forEach(([kind, facts], place) => take(history, place + 1, kind, facts));
  return history;
}

const batch = (epoch = 1, number = 1, loss = 1) => ({ epoch, batch: number, batches: 2, progress: (epoch - 1 + number / 2) / 4, loss, images_per_second: 100 });
const epoch = (number = 1, accuracy = 0.5, loss = 1, seconds = 10) => ({ epoch: number, train_loss: 1, validation_loss: loss, validation_accuracy: accuracy, seconds });

test("what comes again after a reconnection changes nothing", () => {
  const events = /** @type {[string, any][]} */ ([["queued", {}], ["running", { from_epoch: 0 }], ["started", { training_images: 200 }], ["batch", batch()], ["epoch", epoch()]]);
  const once = historyOf(events);
  const twice = historyOf(events);
  events.forEach(([kind, facts], place) => assert.equal(take(twice, place + 1, kind, facts), false));
  assert.deepEqual(twice, once);
  assert.equal(once.epochs.length, 1);
  assert.deepEqual(once.batches, [{ at: 0.5, value: 1 }]);
});

test("what a run waits for, or has lost, is said until it trains", () => {
  const lost = ["running", { from_epoch: 1, notice: "The node was lost." }];
  const events = /** @type {[string, any][]} */ ([["running", { from_epoch: 0 }], ["started", { training_images: 9 }], ["epoch", epoch(1)], lost]);
  assert.equal(describe(historyOf(events), 4), "The node was lost.");
  const again = historyOf([...events, ["started", { training_images: 9 }]]);
  assert.equal(describe(again, 4), "Training.");
  assert.equal(again.epochs.length, 1);
});

test("a run that goes on from an epoch drops what the broken attempt did beyond it", () => {
  const history = historyOf([
    ["running", { from_epoch: 0 }],
    ["batch", batch(1, 2, 5)],
    ["epoch", epoch(1)],
    ["batch", batch(2, 1, 4)],
    ["interrupted", {}],
    ["queued", {}],
    ["running", { from_epoch: 1 }],
  ]);
  assert.deepEqual(history.batches, [{ at: 1, value: 5 }]);
  assert.deepEqual(history.epochs.map((one) => one.epoch), [1]);
  assert.equal(history.batch, null);
  take(history, 8, "epoch", epoch(1, 0.6));
  assert.deepEqual(history.epochs.map((one) => one.validation_accuracy), [0.6]);
});

test("pause and resume drop nothing", () => {
  const history = historyOf([["running", { from_epoch: 0 }], ["started", { training_images: 9 }], ["batch", batch(2, 1)], ["epoch", epoch(1)], ["paused", {}], ["running", {}]]);
  assert.equal(history.batches.length, 1);
  assert.equal(history.epochs.length, 1);
  assert.equal(describe(history, 4), "Training.");
});

test("the best epoch has the highest accuracy, then the lowest loss, then comes first", () => {
  assert.equal(bestOf([]), null);
  assert.equal(bestOf([epoch(1, 0.5), epoch(2, 0.9, 1), epoch(3, 0.9, 0.5), epoch(4, 0.9, 0.5)])?.epoch, 3);
});

test("the time left is that of the last epochs, and in the first that of its images", () => {
  const first = historyOf([["running", { from_epoch: 0 }], ["started", { training_images: 200 }], ["batch", batch(1, 1)]]);
  // 3.5 epochs of 200 images at 100 per second.
  assert.equal(secondsLeft(first, 4), 7);
  const later = historyOf([["started", { training_images: 200 }], ["epoch", epoch(1, 0.5, 1, 20)], ["epoch", epoch(2, 0.5, 1, 10)], ["batch", batch(3, 1)]]);
  assert.equal(share(later, 4), 0.625);
  assert.equal(secondsLeft(later, 4), 1.5 * 15);
  assert.equal(secondsLeft(emptyHistory(), 4), null);
  assert.deepEqual([0.2, 7.4, 89, 600, 7260].map(inWords), ["under 1 s", "7 s", "89 s", "10 min", "2 h 1 min"]);
});

test("every state has a sentence", () => {
  const history = historyOf([["epoch", epoch(1, 0.9722)]]);
  const said = ["queued", "running", "paused", "finished", "failed", "cancelled", "interrupted"].map((state) => describe({ ...history, state }, 4));
  assert.equal(new Set(said).size, 7);
  assert.ok(said[3].includes("97.22 %"));
  assert.ok(said[6].includes("after epoch 1"));
  const stopped = historyOf([["epoch", epoch(1)], ["cancelled", { reason: "Stopped early: behind." }]]);
  assert.equal(describe(stopped, 4), "Stopped early: behind.");
});

test("thinned curves keep their mean and their end", () => {
  const points = Array.from({ length: 1000 }, (_, at) => ({ at, value: at % 7 }));
  const fewer = thin(points, 100);
  assert.equal(fewer.length, 100);
  assert.equal(fewer[99].at, 999);
  assert.equal(fewer[0].value, [0, 1, 2, 3, 4, 5, 6, 0, 1, 2].reduce((a, b) => a + b) / 10);
  assert.equal(thin(points, 1000), points);
});

test("curves lie side by side over all their places", () => {
  const rows = align([[{ at: 0.5, value: 3 }, { at: 2, value: 4 }], [{ at: 1, value: 0 }, { at: 2, value: 6 }]]);
  assert.deepEqual(rows, [[0.5, 1, 2], [3, null, 4], [null, 0, 6]]);
  assert.deepEqual([0, 1, 2, 3].map((place) => nearest([null, 5, null, null], place)), [1, 1, 1, 1]);
});

test("the metrics as CSV become epochs", () => {
  const csv = "epoch,train_loss,validation_loss,validation_accuracy,seconds\n1,1.5,1e-05,0.25,3.0\n";
  assert.deepEqual(readCsv(csv), [{ epoch: 1, train_loss: 1.5, validation_loss: 1e-5, validation_accuracy: 0.25, seconds: 3 }]);
  assert.deepEqual(readCsv("epoch,seconds\n"), []);
});

test("the list's address holds what is seen, and gives it back", () => {
  /** @type {import("../../static/js/run-list.js").ListView} */
  const view = { query: "le net", state: "failed", compare: ["a", "b"], metric: "train_loss" };
  const url = writeList(new URL("http://here/runs?keep=1"), view);
  assert.deepEqual(readList(url), view);
  assert.equal(url.searchParams.get("keep"), "1");
  const plain = readList(new URL("http://here/runs?metric=size&compare=,"));
  assert.deepEqual(plain, { query: "", state: "", compare: [], metric: "validation_accuracy" });
  assert.equal(writeList(url, plain).search, "?keep=1");
});
