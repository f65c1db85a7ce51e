import assert from "node:assert/strict";
import { test } from "node:test";
import { extent, origin, strongest, tile } from "../../static/js/tiling.js";

const rooms = [40, 58, 112, 170].flatMap((width) => [300, 440, 900].map((height) => ({ width, height })));
const maps = [[28, 28], [14, 14], [7, 7], [3, 3], [1, 10], [12, 72], [224, 224]].map(([width, height]) => ({ width, height }));

test("all tiles lie in the room, whatever its size", () => {
  for (const room of rooms) {
    for (const map of maps) {
      for (const count of [1, 2, 16, 24, 48, 96, 512]) {
        const tiling = tile(count, map, room);
        const { width, height } = extent(tiling);
        assert.ok(width <= room.width && height <= room.height, JSON.stringify({ room, map, count, tiling }));
        assert.ok(tiling.shown >= 1 && tiling.shown <= count);
      }
    }
  }
});

test("no other number of tiles in a row would make them larger", () => {
  const [room, map, count] = [{ width: 150, height: 800 }, { width: 28, height: 28 }, 24];
  const sizes = [1, 2, 3, 4, 5].map((across) => {
    const rows = Math.ceil(count / across);
    return Math.floor(Math.min((148 - 2 * (across - 1)) / across, (798 - 2 * (rows - 1)) / rows));
  });
  assert.equal(tile(count, map, room).width, Math.max(...sizes));
});

test("what doesn't fit is left out, the strongest first", () => {
  const tiling = tile(512, { width: 7, height: 7 }, { width: 60, height: 100 });
  assert.ok(tiling.shown < 512);
  const values = [1, -1, /**/ -5, -5, /**/ 2, 3, /**/ 0, 0];
  assert.deepEqual(strongest(values, 4, 2), [1, 2]);
  assert.deepEqual(strongest(values, 4, 4), [0, 1, 2, 3]);
});

test("tiles follow each other row by row", () => {
  const tiling = { across: 3, shown: 6, width: 10, height: 20, gap: 2, margin: 1 };
  assert.deepEqual(origin(tiling, 4), { left: 13, top: 23 });
  assert.deepEqual(extent(tiling), { width: 36, height: 44 });
});
