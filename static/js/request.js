// Asks the server; what it refuses comes back in its own words.

/** A request that was refused or didn't get through; the message says what to do. */
export class Refusal extends Error {
  /**
   * @param {string} message
   * @param {{field: string, message: string}[]} [faults] what is wrong, field by field
   * @param {number} [retryAfter] in how many seconds the server can do it; 0 where it didn't say so
   */
  constructor(message, faults = [], retryAfter = 0) {
    super(message);
    this.faults = faults;
    this.retryAfter = retryAfter;
  }
}

/**
 * @param {string} url
 * @param {RequestInit} [options]
 * @returns {Promise<Response>} an answer with a status of success
 */
export async function request(url, options) {
  const response = await fetch(url, options).catch(() => null);
  if (!response) {
    throw new Refusal("The server doesn't answer. Nothing on this page is lost; try again in a moment.");
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  const words = problem.detail ?? `The server answered ${response.status}. Please try again.`;
  throw new Refusal(words, problem.errors, Number(response.headers.get("Retry-After") ?? 0));
}

/**
 * Why a stream of events was refused, in the server's words, since an EventSource doesn't say.
 * @param {string} url
 * @returns {Promise<string>} nothing where it would be accepted now
 */
export async function refusalOf(url) {
  const giveUp = new AbortController();
  try {
    await request(url, { signal: giveUp.signal });
    giveUp.abort();
    return "";
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return error.message;
  }
}
