// Pictures that the server keeps, by id. Of those that are asked for only the newest is of use.

import { request } from "./request.js";

export class KeptPictures {
  /** @type {Map<string, Blob>} */
  #files = new Map();
  #asked = 0;

  /**
   * @param {string} image its id
   * @returns {Promise<ImageBitmap | null>} null where another was asked for meanwhile
   */
  async fetch(image) {
    const turn = ++this.#asked;
    const response = await request(`/api/v1/images/${encodeURIComponent(image)}`);
    const file = await response.blob();
    const bitmap = await createImageBitmap(file);
    if (turn !== this.#asked) return null;
    this.#files.set(image, file);
    return bitmap;
  }

  /** None is of use now: one that is under way comes too late. */
  drop() {
    this.#asked++;
  }

  /** @param {string} image id of a picture that came */
  file(image) {
    return this.#files.get(image);
  }
}
