/* MPEG-1 video and MP2 sound by @cycjimmy/jsmpeg-player, which is loaded when it is needed. JSMpeg
 * shows every picture that it decodes, one for each refresh of the screen: after a burst that would
 * be the past, sped up. So the player decodes all that has arrived and shows the last one. */
import { unsupported } from "./errors.js";
import { newStatistics } from "./surface.js";
import { TsDemuxer } from "./ts.js";

const PENDING_BYTES_MAX = 8 * 1024 * 1024;
const SEQUENCE = 0xb3; /* start codes of headers */
const EXTENSION = 0xb5; /* which MPEG-1 has not */

/**
 * Whether a picture begins with the headers of MPEG-2; undefined without a header.
 *
 * @param {Uint8Array} data
 */
export function isMpeg2(data) {
  let isHeader = false;
  for (let at = 0; at + 3 < data.length; at++) {
    if (data[at] === 0 && data[at + 1] === 0 && data[at + 2] === 1) {
      if (isHeader) {
        return data[at + 3] === EXTENSION;
      }
      isHeader = data[at + 3] === SEQUENCE;
      at += 3;
    }
  }
  return undefined;
}

export class JsmpegPlayer {
  static isSupported() {
    return true;
  }

  /** @type {any} */
  #player = null;
  /** @type {any} */
  #sink = null;
  /** @type {ArrayBuffer[]} */
  #pending = [];
  #pendingBytes = 0;
  /** @type {any[] | null} planes of the last decoded picture */
  #last = null;
  #rest = () => {};
  #isClosed = false;
  #isMuted = true;

  /** @param {import("./surface.js").PlayerOptions & {jsmpeg?: any}} options */
  constructor(options) {
    this.options = options;
    this.statistics = newStatistics();
    this.lagMs = 0;
    this.codec = "mpeg1";
    /** @type {TsDemuxer | null} until it is known that it is no MPEG-2, which JSMpeg hangs on */
    this.probe = new TsDemuxer({ onUnit: (unit) => this.#probe(unit) });
  }

  set muted(/** @type {boolean} */ muted) {
    this.#isMuted = muted;
    if (this.#player?.audioOut) {
      this.#player.volume = muted ? 0 : 1;
      if (!muted) {
        this.#player.audioOut.unlock?.(() => {});
      }
    }
  }

  /** @param {ArrayBuffer} message */
  push(message) {
    this.probe?.push(new Uint8Array(message));
    if (this.#sink) {
      this.#sink.write(message);
    } else if (!this.#isClosed && this.#pendingBytes + message.byteLength <= PENDING_BYTES_MAX) {
      this.#pending.push(message);
      this.#pendingBytes += message.byteLength;
    }
  }

  /* JSMpeg finds the next key picture by itself. */
  reset() {
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  close() {
    this.#isClosed = true;
    this.reset();
    this.#player?.destroy();
    this.#player = this.#sink = null;
  }

  /** @param {import("./ts.js").Unit} unit */
  #probe(unit) {
    const answer = unit.kind === "video" ? isMpeg2(unit.data) : undefined;
    if (answer === undefined || !this.probe) {
      return;
    }
    this.probe = null;
    if (answer) {
      this.#isClosed = true;
      this.#pending = [];
      this.options.onError?.(
        unsupported("MPEG-2 video is played by no browser: publish H.264 or MPEG-1"),
      );
    } else {
      void this.#load();
    }
  }

  async #load() {
    try {
      const jsmpeg = this.options.jsmpeg ?? (await import("@cycjimmy/jsmpeg-player")).default;
      if (!this.#isClosed) {
        this.#start(jsmpeg);
      }
    } catch (cause) {
      this.options.onError?.(
        unsupported("the package @cycjimmy/jsmpeg-player could not be loaded, which plays MPEG-1",
          cause),
      );
    }
  }

  /** @param {any} jsmpeg */
  #start(jsmpeg) {
    const keepSink = (/** @type {any} */ sink) => {
      this.#sink = sink;
    };
    class Source {
      streaming = true;
      established = true;
      completed = false;
      progress = 1;

      connect = keepSink;
      start() {}
      resume() {}
      destroy() {}
    }
    this.#player = new jsmpeg.Player("", {
      canvas: this.options.canvas,
      source: Source,
      pauseWhenHidden: false,
      disableGl: true,
      disableWebAssembly: true,
      decodeFirstFrame: false,
      videoBufferSize: 4 * 1024 * 1024,
      audioBufferSize: 256 * 1024,
    });
    this.#player.video.destination = {
      resize: (/** @type {number} */ width, /** @type {number} */ height) =>
        this.#player.renderer.resize(width, height),
      render: (/** @type {any[]} */ ...planes) => {
        this.#last = planes;
      },
    };
    this.#rest = this.#player.updateForStreaming.bind(this.#player); /* no picture, but sound */
    this.#player.updateForStreaming = () => this.#update();
    this.muted = this.#isMuted;
    this.#pending.splice(0).forEach((message) => this.#sink.write(message));
    this.#pendingBytes = 0;
  }

  #update() {
    const { video, renderer } = this.#player;
    let decoded = 0;
    while (video.decode()) {
      decoded++;
    }
    if (this.#last) {
      renderer.render(...this.#last);
      this.#last = null;
      this.statistics.shown++;
      this.statistics.late += decoded - 1;
      this.options.onPicture?.();
    }
    this.#rest();
  }
}
