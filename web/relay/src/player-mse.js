/* H.264 and AAC in a transport stream, by the browser's own video element: the messages are
 * appended as they are, where Media Source Extensions take video/mp2t (Chrome and Edge). */
import { Backlog, join } from "./bytes.js";
import { damaged, unsupported } from "./errors.js";
import { codecOf, inspect } from "./h264.js";
import { LiveEdge } from "./live-edge.js";
import { newStatistics } from "./surface.js";
import { TsDemuxer } from "./ts.js";

const KEEP_S = 5;
const PENDING_BYTES_MAX = 16 * 1024 * 1024;
const RESTARTS_MAX = 5;

/** @param {string} codecs */
const typeOf = (codecs) => `video/mp2t; codecs="${codecs}"`;

export class MsePlayer {
  #demuxer;
  #edge;

  static isSupported() {
    return "MediaSource" in globalThis && MediaSource.isTypeSupported(typeOf("avc1.42E01E"));
  }

  /** @type {MediaSource | null} */
  #source = null;
  /** @type {SourceBuffer | null} */
  #buffer = null;
  /** @type {Backlog<Uint8Array>} */
  #pending = new Backlog(PENDING_BYTES_MAX, Infinity);
  #codecs = "";
  #audio = "";
  #url = "";
  #restarts = 0;
  #isClosed = false;
  #frames = 0;

  /** @param {import("./surface.js").PlayerOptions} options */
  constructor(options) {
    this.options = options;
    this.statistics = newStatistics();
    this.#demuxer = new TsDemuxer({
      onProgram: ({ audio }) => {
        this.#audio = audio?.codec === "aac" ? ",mp4a.40.2" : "";
      },
      onUnit: (unit) => this.#onUnit(unit),
    });
    this.#edge = new LiveEdge(options.video, (presented) => this.#onFrame(presented));
  }

  get codec() {
    return this.#codecs;
  }

  get lagMs() {
    return this.#edge.lagMs;
  }

  set muted(/** @type {boolean} */ muted) {
    this.options.video.muted = muted;
  }

  /** @param {ArrayBuffer} message */
  push(message) {
    const bytes = new Uint8Array(message);
    if (!this.#codecs) {
      this.#demuxer.push(bytes); /* until it is known what the stream is */
    }
    if (!this.#pending.push(bytes) || (this.#buffer && this.#edge.feed())) {
      this.statistics.dropped += this.#pending.length;
      this.#restart();
    }
    this.#append();
  }

  reset() {
    this.#restart();
  }

  close() {
    this.#isClosed = true;
    this.#edge.close();
    this.#dismantle();
    this.options.video.removeAttribute("src");
    this.options.video.load();
  }

  /** @param {import("./ts.js").Unit} unit */
  #onUnit(unit) {
    if (unit.codec !== "h264" || this.#codecs || this.#isClosed) {
      return;
    }
    const { sps } = inspect(unit.data);
    if (!sps) {
      return;
    }
    const codecs = codecOf(sps) + this.#audio;
    if (!MediaSource.isTypeSupported(typeOf(codecs))) {
      this.options.onError?.(unsupported(`this browser plays no transport streams of ${codecs}`));
      return;
    }
    this.#codecs = codecs;
    this.#open();
  }

  #open() {
    const source = new MediaSource();
    const { video } = this.options;
    this.#source = source;
    this.#url = URL.createObjectURL(source);
    video.src = this.#url;
    source.onsourceopen = () => {
      if (source !== this.#source) {
        return;
      }
      try {
        this.#buffer = source.addSourceBuffer(typeOf(this.#codecs));
        this.#buffer.onupdateend = () => this.#onAppended();
        this.#buffer.onerror = () => this.#onFault();
        this.#append();
      } catch {
        this.#onFault();
      }
    };
    video.onerror = () => this.#onFault();
    this.#edge.play();
  }

  #append() {
    const buffer = this.#buffer;
    if (!buffer || buffer.updating || this.#pending.length === 0) {
      return;
    }
    try {
      buffer.appendBuffer(join(this.#pending.take()));
    } catch {
      this.#onFault();
    }
  }

  #onAppended() {
    const { video } = this.options;
    const { buffered } = video;
    if (this.#isClosed || !this.#buffer || buffered.length === 0) {
      return;
    }
    this.#edge.chase();
    this.#edge.play();
    const begin = buffered.start(0);
    if (!this.#buffer.updating && video.currentTime - begin > 2 * KEEP_S) {
      this.#buffer.remove(begin, video.currentTime - KEEP_S);
    } else {
      this.#append();
    }
  }

  /** @param {number} presented */
  #onFrame(presented) {
    this.statistics.late += Math.max(0, presented - this.#frames - 1);
    this.#frames = presented;
    this.statistics.shown++;
    this.#restarts = 0;
    this.options.onPicture?.();
  }

  #onFault() {
    this.statistics.faults++;
    if (++this.#restarts > RESTARTS_MAX) {
      this.options.onError?.(damaged());
      this.#restarts = 0;
    }
    this.#restart();
    this.options.onKeyWanted?.();
  }

  #restart() {
    this.#dismantle();
    this.#demuxer.reset();
  }

  #dismantle() {
    if (this.#buffer) {
      this.#buffer.onupdateend = this.#buffer.onerror = null;
    }
    if (this.#source) {
      this.#source.onsourceopen = null;
    }
    this.options.video.onerror = null;
    URL.revokeObjectURL(this.#url);
    this.#source = this.#buffer = null;
    this.#pending.take();
    this.#codecs = "";
  }
}
