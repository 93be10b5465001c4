/* Transport streams by mpegts.js, which is loaded when it is needed: for browsers without WebCodecs
 * and without MSE for transport streams. It is fed with our messages by its customLoader. */
import { Backlog } from "./bytes.js";
import { unsupported } from "./errors.js";
import { LiveEdge } from "./live-edge.js";
import { newStatistics } from "./surface.js";

const PENDING_BYTES_MAX = 8 * 1024 * 1024;

export class MpegtsPlayer {
  #edge;

  static isSupported() {
    return "MediaSource" in globalThis || "ManagedMediaSource" in globalThis;
  }

  /** @type {any} */
  #mpegts = null;
  /** @type {any} */
  #player = null;
  /** @type {any} */
  #loader = null;
  /** @type {Backlog<ArrayBuffer>} */
  #pending = new Backlog(PENDING_BYTES_MAX);
  #isClosed = false;

  /** @param {import("./surface.js").PlayerOptions & {mpegts?: any}} options */
  constructor(options) {
    this.options = options;
    this.statistics = newStatistics();
    this.codec = "mpegts.js";
    this.#edge = new LiveEdge(options.video, () => {
      this.statistics.shown++;
      this.options.onPicture?.();
    });
    void this.#load();
  }

  get lagMs() {
    return this.#edge.lagMs;
  }

  set muted(/** @type {boolean} */ muted) {
    this.options.video.muted = muted;
  }

  /** @param {ArrayBuffer} message */
  push(message) {
    if (this.#loader) {
      this.#loader.feed(message);
      this.#edge.chase();
      this.#edge.play();
      if (this.#edge.feed()) {
        this.reset();
      }
    } else if (!this.#isClosed) {
      this.#pending.push(message);
    }
  }

  reset() {
    if (this.#mpegts && !this.#isClosed) {
      this.#dismantle();
      this.#start();
    }
  }

  close() {
    this.#isClosed = true;
    this.#edge.close();
    this.#dismantle();
  }

  async #load() {
    try {
      this.#mpegts = this.options.mpegts ?? (await import("mpegts.js")).default;
    } catch (cause) {
      this.#fail("this browser needs the package mpegts.js, which could not be loaded", cause);
      return;
    }
    if (!this.#isClosed) {
      this.#start();
    }
  }

  #start() {
    const mpegts = this.#mpegts;
    const onLoader = (/** @type {any} */ loader) => {
      this.#loader = loader;
      this.#pending.take().forEach((message) => loader.feed(message));
    };
    class Loader extends mpegts.BaseLoader {
      received = 0;

      constructor() {
        super("relay");
      }

      open() {
        this._status = mpegts.LoaderStatus.kBuffering;
        onLoader(this);
      }

      abort() {
        this._status = mpegts.LoaderStatus.kComplete;
      }

      /** @param {ArrayBuffer} chunk */
      feed(chunk) {
        const at = this.received;
        this.received += chunk.byteLength;
        this._onDataArrival?.(chunk, at, this.received);
      }
    }
    this.#player = mpegts.createPlayer(
      { type: "mse", isLive: true, url: "relay" },
      { customLoader: Loader, enableStashBuffer: false, autoCleanupSourceBuffer: true,
        lazyLoad: false, fixAudioTimestampGap: false },
    );
    this.#player.on(mpegts.Events.ERROR, (/** @type {string} */ kind, /** @type {string} */ what) =>
      this.#fail(`mpegts.js cannot play this stream: ${kind}, ${what}`),
    );
    this.#player.attachMediaElement(this.options.video);
    this.#player.load();
    this.#edge.play();
  }

  /** @param {string} message @param {unknown} [cause] */
  #fail(message, cause) {
    this.statistics.faults++;
    this.options.onError?.(unsupported(message, cause));
  }

  #dismantle() {
    this.#player?.destroy();
    this.#player = this.#loader = null;
    this.#pending.take();
  }
}
