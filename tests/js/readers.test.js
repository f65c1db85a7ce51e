import assert from "node:assert/strict";
import { test } from "node:test";
import { readNpy } from "../../static/js/npy.js";
import { readSafetensors } from "../../static/js/safetensors.js";

/** @param {object} header @param {Uint8Array} body */
function safetensors(header, body) {
  const text = new TextEncoder().encode(JSON.stringify(header).padEnd(160));
  const file = new Uint8Array(8 + text.length + body.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  file.set(body, 8 + text.length);
  return file.buffer;
}

test("safetensors give back their numbers, shapes and metadata", () => {
  const floats = new Uint8Array(new Float32Array([1.5, -2, 0, 3]).buffer);
  const buffer = safetensors(
    {
      __metadata__: { prediction: "{}" },
      conv1: { dtype: "F32", shape: [2, 1, 2], data_offsets: [0, 16] },
      "step:drawn": { dtype: "U8", shape: [2], data_offsets: [16, 18] },
    },
    new Uint8Array([...floats, 7, 255]),
  );
  const { tensors, metadata } = readSafetensors(buffer);
  assert.deepEqual(metadata, { prediction: "{}" });
  assert.deepEqual([...(tensors.get("conv1")?.data ?? [])], [1.5, -2, 0, 3]);
  assert.deepEqual(tensors.get("conv1")?.shape, [2, 1, 2]);
  assert.deepEqual([...(tensors.get("step:drawn")?.data ?? [])], [7, 255]);
});

test("numbers of a type that isn't read are named, not misread", () => {
  const buffer = safetensors({ a: { dtype: "F64", shape: [1], data_offsets: [0, 8] } }, new Uint8Array(8));
  assert.throws(() => readSafetensors(buffer), /a has numbers of type F64/);
});

test("a .npy file gives back its numbers and shape", () => {
  const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 2), }".padEnd(117) + "\n";
  const file = new Uint8Array(128 + 16);
  file.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, 118, 0]);
  file.set(new TextEncoder().encode(header), 10);
  file.set(new Uint8Array(new Float32Array([1, 2, 3, -4]).buffer), 128);
  assert.deepEqual(readNpy(file.buffer).shape, [2, 1, 2]);
  assert.deepEqual([...readNpy(file.buffer).data], [1, 2, 3, -4]);
});
