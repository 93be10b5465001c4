/* What the machine and the page do to a connection: a page is hidden, a network comes back, a
 * laptop was asleep. In Node only sleep is noticed. */

const TICK_MS = 5000;
const ASLEEP_MS = 15_000; /* a timer that is so late did not just wait for a busy page */
const PROOF_MS = 3000; /* a connection that is alive shows it by then */

export class Watch {
  #handlers;
  #stopping = new AbortController();
  #lastTick = Date.now();
  #lastHeard = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #proof = undefined;
  #ticking;

  /**
   * @param {{onVisible: (visible: boolean) => void, onOnline: () => void, onDoubt: () => void,
   *   onWoken: () => void}} handlers onDoubt: is the connection alive? onWoken: it is not
   */
  constructor(handlers) {
    this.#handlers = handlers;
    this.#ticking = setInterval(() => this.#tick(), TICK_MS);
    /** @type {any} */ (this.#ticking).unref?.();
    const { signal } = this.#stopping;
    if (typeof document !== "undefined") {
      document.addEventListener("visibilitychange", () => this.#visibilityChanged(), { signal });
      addEventListener("online", () => handlers.onOnline(), { signal });
    }
  }

  get hidden() {
    return typeof document !== "undefined" && document.visibilityState === "hidden";
  }

  heard() {
    this.#lastHeard = Date.now();
  }

  /** There is no connection to be proved alive. */
  quiet() {
    clearTimeout(this.#proof);
    this.#proof = undefined;
  }

  stop() {
    this.#stopping.abort();
    clearInterval(this.#ticking);
    this.quiet();
  }

  #visibilityChanged() {
    this.#tick();
    this.#handlers.onVisible(!this.hidden);
  }

  /* Browsers call timers of hidden pages once a minute: that is no sleep. */
  #tick() {
    const now = Date.now();
    const late = now - this.#lastTick - TICK_MS;
    this.#lastTick = now;
    if (late < ASLEEP_MS || this.hidden || this.#proof !== undefined) {
      return;
    }
    this.#handlers.onDoubt();
    this.#proof = setTimeout(() => {
      this.#proof = undefined;
      if (this.#lastHeard < now) {
        this.#handlers.onWoken();
      }
    }, PROOF_MS);
  }
}
