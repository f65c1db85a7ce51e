import assert from "node:assert/strict";
import { test } from "node:test";
import { EXAMPLES } from "../../static/js/examples.js";
import { SIDE, Sketch } from "../../static/js/sketch.js";

/** @param {boolean} drawing @returns {any} */
const picture = (drawing) => ({ kind: "picture", bitmap: {}, image: "id", drawing });

test("clear can be undone, and what was drawn before comes back", () => {
  const sketch = new Sketch();
  sketch.begin(10, false, [1, 1]);
  sketch.begin(10, false, [2, 2]);
  sketch.clear();
  assert.ok(sketch.empty);
  assert.ok(sketch.undo());
  assert.equal(sketch.strokes.length, 2);
});

test("erasing alone draws nothing", () => {
  const sketch = new Sketch();
  sketch.begin(10, true, [1, 1]);
  assert.ok(sketch.empty && sketch.undoable);
});

test("a drawing is drawn on, a photo gives way to a new drawing", () => {
  const sketch = new Sketch();
  sketch.show(picture(true));
  sketch.begin(10, false, [1, 1]);
  assert.ok(sketch.picture && sketch.strokes.length === 1);
  sketch.show(picture(false));
  sketch.begin(10, false, [1, 1]);
  assert.equal(sketch.picture, null);
  sketch.undo();
  assert.equal(sketch.picture?.drawing, false);
});

test("one undo takes back an eraser's stroke and the photo that it cleared", () => {
  const sketch = new Sketch();
  sketch.show(picture(false));
  sketch.begin(10, true, [1, 1]);
  assert.ok(sketch.empty);
  sketch.undo();
  assert.equal(sketch.picture?.drawing, false);
  sketch.undo();
  assert.ok(sketch.empty && !sketch.undoable);
});

test("an example's strokes are undone at once, and what they took the place of comes back", () => {
  const sketch = new Sketch();
  sketch.begin(10, false, [1, 1]);
  sketch.begin(10, false, [2, 2], "anew");
  sketch.begin(10, false, [3, 3], "joined");
  assert.deepEqual(sketch.strokes.map(({ points }) => points[0]), [[2, 2], [3, 3]]);
  sketch.undo();
  assert.deepEqual(sketch.strokes.map(({ points }) => points[0]), [[1, 1]]);
  sketch.undo();
  assert.ok(sketch.empty && !sketch.undoable);
});

test("an empty pad has nothing to clear or undo", () => {
  const sketch = new Sketch();
  sketch.clear();
  assert.equal(sketch.undo(), false);
});

test("every example digit lies on the pad", () => {
  assert.equal(EXAMPLES.length, 10);
  for (const [x, y] of EXAMPLES.flat(2)) assert.ok(x > 10 && x < SIDE - 10 && y > 10 && y < SIDE - 10);
});
