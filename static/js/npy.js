// Reads a .npy file of 32-bit floats, version 1 (numpy.lib.format): the filters come as such.

/**
 * @param {ArrayBuffer} buffer a whole .npy file
 * @returns {import("./safetensors.js").Tensor}
 */
export function readNpy(buffer) {
  const view = new DataView(buffer);
  const headerLength = view.getUint16(8, true);
  const header = new TextDecoder().decode(new Uint8Array(buffer, 10, headerLength));
  const shape = /'shape': \(([^)]*)\)/.exec(header)?.[1];
  if (!header.includes("'<f4'") || shape === undefined) {
    throw new TypeError(`This array isn't one of 32-bit floats: ${header}`);
  }
  const sizes = shape.split(",").map((size) => size.trim()).filter(Boolean).map(Number);
  return { shape: sizes, data: new Float32Array(buffer, 10 + headerLength) };
}
