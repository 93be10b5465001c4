/* MPEG-1 video and MP2 sound by @cycjimmy/jsmpeg-player, which is loaded when it is needed. JSMpeg
 * shows every picture that it decodes, one for each refresh of the screen: after a burst that would
 * be the past, sped up. So the player decodes all that has arrived and shows the last one. */
import { Backlog, startCodes } from "./bytes.js";
import { damaged, unsupported } from "./errors.js";
import { newStatistics } from "./surface.js";
import { TsDemuxer } from "./ts.js";

const PENDING_BYTES_MAX = 8 * 1024 * 1024;
const DECODE_MS = 50; /* at a time; then the page has its turn */
const BEHIND_MS = 1000; /* without a picture: the machine is too slow for all of them */
const FAULTS_MAX = 5;
const PICTURE = 0; /* start codes of headers */
const SEQUENCE = 0xb3; /* in front of a key picture */
const EXTENSION = 0xb5; /* which MPEG-1 has not */

/**
 * Whether a picture begins with the headers of MPEG-2; undefined without a header.
 *
 * @param {Uint8Array} data
 */
export function isMpeg2(data) {
  const codes = startCodes(data).map((at) => data[at + 3]);
  const header = codes.indexOf(SEQUENCE);
  const next = codes[header + 1];
  return header < 0 || next === undefined ? undefined : next === EXTENSION;
}

/**
 * Goes on with the newest key picture, as what lies before it is the past: a hidden page decodes
 * nothing.
 *
 * @param {{bytes: Uint8Array, byteLength: number, index: number}} unread index: in bits
 * @returns {number} of pictures that were skipped
 */
export function skipToKey(unread) {
  const { bytes, byteLength, index } = unread;
  let [skipped, pictures] = [0, 0];
  for (const at of startCodes(bytes, (index + 7) >> 3, byteLength - 1)) {
    if (bytes[at + 3] === SEQUENCE) {
      unread.index = at << 3;
      skipped = pictures;
    }
    pictures += Number(bytes[at + 3] === PICTURE);
  }
  return skipped;
}

export class JsmpegPlayer {
  static isSupported() {
    return true;
  }

  /** @type {any} */
  #player = null;
  /** @type {any} */
  #sink = null;
  /** @type {Backlog<ArrayBuffer>} */
  #pending = new Backlog(PENDING_BYTES_MAX);
  /** @type {any} */
  #jsmpeg = null;
  #faults = 0;
  #decoded = 0;
  /** @type {any[] | null} planes of the last decoded picture */
  #last = null;
  #rest = () => {};
  #isClosed = false;
  /** @type {TsDemuxer | null} until it is known that it is no MPEG-2, which JSMpeg hangs on */
  #demuxer;
  #isMuted = true;
  #hasAudio = false;
  #shownAt = 0;

  /** @param {import("./surface.js").PlayerOptions & {jsmpeg?: any}} options */
  constructor(options) {
    this.options = options;
    this.statistics = newStatistics();
    this.lagMs = 0;
    this.codec = "mpeg1";
    this.#demuxer = new TsDemuxer({
      onProgram: ({ audio }) => {
        this.#hasAudio = audio !== null;
      },
      onUnit: (unit) => this.#probe(unit),
    });
  }

  set muted(/** @type {boolean} */ muted) {
    this.#isMuted = muted;
    const out = this.#player?.audioOut;
    if (out) {
      this.#player.volume = muted ? 0 : 1;
      if (!muted) {
        out.unlock?.(() => {});
        out.context?.resume?.().catch(() => {});
      }
    }
  }

  /** @param {ArrayBuffer} message */
  push(message) {
    this.#demuxer?.push(new Uint8Array(message));
    if (this.#sink) {
      this.#try(() => this.#sink.write(message));
    } else if (!this.#isClosed) {
      this.#pending.push(message);
    }
  }

  /* JSMpeg finds the next key picture by itself. */
  reset() {
    this.#pending.take();
  }

  close() {
    this.#isClosed = true;
    this.reset();
    this.#dismantle();
  }

  #dismantle() {
    this.#player?.destroy();
    this.#player = this.#sink = this.#last = null;
  }

  /* JSMpeg throws where a stream is damaged, and may not go on from there. */
  #try(/** @type {() => void} */ step) {
    try {
      step();
    } catch (fault) {
      this.statistics.faults++;
      if (++this.#faults % FAULTS_MAX === 0) {
        this.options.onError?.(damaged(fault));
      }
      this.#dismantle();
      this.#start();
      this.options.onKeyWanted?.();
    }
  }

  /** @param {import("./ts.js").Unit} unit */
  #probe(unit) {
    const answer = unit.kind === "video" ? isMpeg2(unit.data) : undefined;
    if (answer === undefined || !this.#demuxer) {
      return;
    }
    this.#demuxer = null;
    if (answer) {
      this.close();
      this.options.onError?.(
        unsupported("MPEG-2 video is played by no browser: publish H.264 or MPEG-1"),
      );
    } else {
      void this.#load();
    }
  }

  async #load() {
    try {
      this.#jsmpeg = this.options.jsmpeg ?? (await import("@cycjimmy/jsmpeg-player")).default;
      if (!this.#isClosed) {
        this.#start();
      }
    } catch (cause) {
      this.options.onError?.(
        unsupported("the package @cycjimmy/jsmpeg-player could not be loaded, which plays MPEG-1",
          cause),
      );
    }
  }

  #start() {
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
    this.#player = new this.#jsmpeg.Player("", {
      canvas: this.options.canvas,
      source: Source,
      pauseWhenHidden: false,
      disableGl: true,
      disableWebAssembly: true,
      decodeFirstFrame: false,
      audio: this.#hasAudio,
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
    this.#player.updateForStreaming = () => this.#try(() => this.#update());
    this.muted = this.#isMuted;
    this.#pending.take().forEach((message) => this.push(message));
  }

  #update() {
    const { video, renderer } = this.#player;
    const began = performance.now();
    let isBehind = video.hasSequenceHeader;
    this.statistics.dropped += skipToKey(video.bits);
    while (isBehind && performance.now() - began < DECODE_MS) {
      this.#decoded += Number(video.decode()); /* false also for a header that is not a picture's */
      isBehind = video.bits.has(1);
    }
    if (this.#last && (!isBehind || began - this.#shownAt > BEHIND_MS)) {
      this.#shownAt = began;
      renderer.render(...this.#last);
      this.#last = null;
      this.statistics.shown++;
      this.statistics.late += Math.max(0, this.#decoded - 1);
      this.#decoded = this.#faults = 0;
      this.options.onPicture?.();
    }
    this.#rest();
  }
}
