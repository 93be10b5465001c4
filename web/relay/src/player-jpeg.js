/* JPEG, a picture in each message: the newest is decoded, those that came meanwhile are not. */
import { damaged } from "./errors.js";
import { Surface } from "./surface.js";

const FAULTS_MAX = 5;

export class JpegPlayer {
  #surface;

  static isSupported() {
    return typeof createImageBitmap === "function";
  }

  /** @type {ArrayBuffer | null} */
  #next = null;
  #arrived = 0;
  #isDecoding = false;
  #isClosed = false;
  #faults = 0;

  /** @param {import("./surface.js").PlayerOptions} options */
  constructor(options) {
    this.options = options;
    this.#surface = new Surface(options);
    this.statistics = this.#surface.statistics;
  }

  get lagMs() {
    return Math.max(0, this.#arrived - this.#surface.shownAt) || 0;
  }

  get codec() {
    return "jpeg";
  }

  /** @param {ArrayBuffer} message */
  push(message) {
    if (this.#next) {
      this.statistics.dropped++;
    }
    this.#next = message;
    this.#arrived = performance.now();
    if (!this.#isDecoding) {
      void this.#decode();
    }
  }

  reset() {
    this.#next = null;
  }

  close() {
    this.#isClosed = true;
    this.#next = null;
    this.#surface.close();
  }

  async #decode() {
    this.#isDecoding = true;
    while (this.#next && !this.#isClosed) {
      const [message, at] = [this.#next, this.#arrived];
      this.#next = null;
      try {
        const picture = await createImageBitmap(new Blob([message], { type: "image/jpeg" }));
        this.#surface.show(picture, at);
        this.#faults = 0;
      } catch (cause) {
        this.#onFault(cause);
      }
    }
    this.#isDecoding = false;
  }

  /** @param {unknown} cause */
  #onFault(cause) {
    this.statistics.faults++;
    if (++this.#faults === FAULTS_MAX) {
      this.options.onError?.(damaged(cause));
    }
  }
}
