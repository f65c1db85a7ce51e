// Reads a safetensors file: 8 bytes of length, a JSON header, raw numbers. The arrays are views
// into the answer wherever its alignment allows.

/**
 * @typedef {object} Tensor
 * @property {number[]} shape
 * @property {Float32Array | Uint8Array} data
 * @property {import("./looking.js").Picked} [picked] where it is but some channels of a layer
 */

const ARRAYS = {
  F32: Float32Array,
  U8: Uint8Array,
};

/**
 * @param {ArrayBuffer} buffer a whole safetensors file
 * @returns {{tensors: Map<string, Tensor>, metadata: Record<string, string>}}
 */
export function readSafetensors(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const text = new TextDecoder().decode(new Uint8Array(buffer, 8, length));
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(text);
  const start = 8 + length;
  const tensors = new Map();
  for (const [name, { dtype, shape, data_offsets: [from, to] }] of Object.entries(entries)) {
    const ArrayType = ARRAYS[/** @type {keyof typeof ARRAYS} */ (dtype)];
    if (!ArrayType) throw new TypeError(`${name} has numbers of type ${dtype}, which isn't read.`);
    const size = ArrayType.BYTES_PER_ELEMENT;
    const aligned = (start + from) % size === 0;
    const data = aligned
      ? new ArrayType(buffer, start + from, (to - from) / size)
      : new ArrayType(buffer.slice(start + from, start + to));
    tensors.set(name, { shape, data });
  }
  return { tensors, metadata };
}
