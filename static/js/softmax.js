// Softmax as numbers: p = e^(z / T) / Σ e^(z / T).

/**
 * The largest exponent is taken off all of them, so that none overflows: p stays the same.
 * @param {number[]} logits
 * @param {number} temperature above 0
 * @returns {{shift: number, exponentials: number[], total: number, probabilities: number[]}}
 */
export function softmax(logits, temperature) {
  const scaled = logits.map((logit) => logit / temperature);
  const shift = Math.max(...scaled);
  const exponentials = scaled.map((logit) => Math.exp(logit - shift));
  const total = exponentials.reduce((sum, one) => sum + one, 0);
  return { shift, exponentials, total, probabilities: exponentials.map((one) => one / total) };
}

/**
 * The places of so many of the largest logits, and of one more, in their own order.
 * @param {number[]} logits
 * @param {number} most
 * @param {number} also
 */
export function largest(logits, most, also) {
  const order = logits.map((_, place) => place).sort((a, b) => logits[b] - logits[a]);
  const kept = new Set(order.slice(0, most));
  if (!kept.has(also)) kept.delete(order[most - 1]);
  return [...kept.add(also)].sort((a, b) => a - b);
}
