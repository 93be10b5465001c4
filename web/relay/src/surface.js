/* A canvas that shows the newest picture of those that were given to it since the screen was drawn
 * last, and closes all others. */

/**
 * @typedef {object} Statistics
 * @property {number} shown pictures on the screen
 * @property {number} late pictures decoded, but not shown, because newer ones had come
 * @property {number} dropped pictures that were not decoded
 * @property {number} faults of the decoder
 *
 * @typedef {object} PlayerOptions
 * @property {HTMLCanvasElement} canvas for players that draw
 * @property {HTMLVideoElement} video for players that use the browser's own
 * @property {() => void} [onPicture] after each picture on the screen
 * @property {(error: import("./errors.js").RelayError) => void} [onError]
 * @property {() => void} [onKeyWanted] what comes cannot be shown before the next key picture
 */

/** @returns {Statistics} */
export function newStatistics() {
  return { shown: 0, late: 0, dropped: 0, faults: 0 };
}

export class Surface {
  #context;

  /** @type {VideoFrame | ImageBitmap | null} */
  #next = null;
  #nextAt = 0;
  #request = 0;
  #isClosed = false;

  /** @param {PlayerOptions} options */
  constructor(options) {
    this.options = options;
    this.#context = options.canvas.getContext("2d", { alpha: false });
    this.statistics = newStatistics();
    /** Time stamp of the picture on the screen. */
    this.shownAt = NaN;
  }

  /** Takes the picture. @param {VideoFrame | ImageBitmap} picture @param {number} at */
  show(picture, at) {
    if (this.#isClosed) {
      picture.close();
      return;
    }
    if (this.#next) {
      this.#next.close();
      this.statistics.late++;
    }
    this.#next = picture;
    this.#nextAt = at;
    this.#request ||= requestAnimationFrame(() => this.#draw());
  }

  close() {
    this.#isClosed = true;
    cancelAnimationFrame(this.#request);
    this.#next?.close();
    this.#next = null;
  }

  #draw() {
    const picture = this.#next;
    this.#request = 0;
    this.#next = null;
    if (!picture) {
      return;
    }
    const { canvas } = this.options;
    const width = "displayWidth" in picture ? picture.displayWidth : picture.width;
    const height = "displayHeight" in picture ? picture.displayHeight : picture.height;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    this.#context?.drawImage(picture, 0, 0, width, height);
    picture.close();
    this.shownAt = this.#nextAt;
    this.statistics.shown++;
    this.options.onPicture?.();
  }
}
