/* Pauses between attempts. Short ones for the first minute, so that pictures are back soon after a
 * server is; all of them drawn at random, so that clients that lost the same server do not return
 * in one instant. */

const FIRST_MS = 200;
const SOON_MS = 1000;
const SOON_FOR_MS = 60_000;
const LATE_MS = 10_000;

export class Backoff {
  #now;
  #random;
  #ceiling = FIRST_MS;
  /** @type {number | null} */
  #began = null;

  /** @param {{now?: () => number, random?: () => number}} [clock] */
  constructor({ now = () => performance.now(), random = Math.random } = {}) {
    this.#now = now;
    this.#random = random;
  }

  reset() {
    this.#ceiling = FIRST_MS;
    this.#began = null;
  }

  /** The pause before the next attempt; `slowly` after refusals, which time alone rarely cures. */
  next(slowly = false) {
    const now = this.#now();
    this.#began ??= now;
    const limit = slowly || now - this.#began > SOON_FOR_MS ? LATE_MS : SOON_MS;
    const ceiling = slowly ? limit : Math.min(this.#ceiling, limit);
    this.#ceiling = Math.min(this.#ceiling * 2, LATE_MS);
    return ceiling / 2 + (this.#random() * ceiling) / 2;
  }
}
