/* H.264 in a transport stream, decoded by WebCodecs and drawn on a canvas. Every picture is
 * decoded, as others may need it, but one that is late is not shown; where decoding itself is too
 * slow, what lies before the newest key picture is dropped. */
import { Backlog } from "./bytes.js";
import { damaged, unsupported } from "./errors.js";
import { codecOf, inspect, withParameterSets } from "./h264.js";
import { Surface } from "./surface.js";
import { TsDemuxer } from "./ts.js";

const LATE_US = 250_000;
const UNSEEN_MS = 500; /* a machine that is too slow shows at least some */
const JUMP_US = 5_000_000; /* time stamps that differ by so much are those of another publisher */
const IN_DECODER_MAX = 8;
const PENDING_MAX = 600;
const PENDING_BYTES_MAX = 16 * 1024 * 1024;
const HELD_MAX = 2;
const HELD_FOR_MS = 2000;
const FAULTS_MAX = 5;

/**
 * @typedef {{data: Uint8Array, byteLength: number, pts: number, isKey: boolean}} Picture
 * @typedef {import("./surface.js").PlayerOptions} PlayerOptions
 */

export class WebCodecsPlayer {
  #surface;
  #demuxer;

  static isSupported() {
    return "VideoDecoder" in globalThis;
  }

  /** @type {VideoDecoder | null} */
  #decoder = null;
  /** @type {Backlog<Picture>} */
  #pending = new Backlog(PENDING_BYTES_MAX, PENDING_MAX);
  /** @type {Uint8Array | null} */
  #sps = null;
  /** @type {Uint8Array | null} */
  #pps = null;
  #codec = "";
  #isReady = false;
  #isClosed = false;
  #awaitsKey = true;
  #newest = -Infinity;
  #newestDts = -Infinity;
  #seenAt = 0;
  #held = 0;
  #heldSince = 0;
  #software = false;
  #faults = 0;

  /** @param {PlayerOptions} options */
  constructor(options) {
    this.options = options;
    this.#surface = new Surface(options);
    this.statistics = this.#surface.statistics;
    this.#demuxer = new TsDemuxer({ onUnit: (unit) => this.#onUnit(unit) });
    this.#startOver();
  }

  /** How far what is shown is behind what has arrived. */
  get lagMs() {
    return Math.max(0, (this.#newest - this.#surface.shownAt) / 1000) || 0;
  }

  get codec() {
    return this.#codec;
  }

  /** @param {ArrayBuffer} message */
  push(message) {
    this.#demuxer.push(new Uint8Array(message));
  }

  /** The stream begins anew: what comes has nothing to do with what came. */
  reset() {
    this.#demuxer.reset();
    this.#startOver();
  }

  close() {
    this.#isClosed = true;
    this.#pending.take();
    if (this.#decoder?.state !== "closed") {
      this.#decoder?.close();
    }
    this.#surface.close();
  }

  #startOver() {
    this.#dropPending();
    this.#awaitsKey = true;
    this.#newest = this.#newestDts = -Infinity;
    this.#seenAt = performance.now();
  }

  #dropPending() {
    this.statistics.dropped += this.#pending.take().length;
  }

  /** @param {import("./ts.js").Unit} unit */
  #onUnit(unit) {
    if (unit.kind !== "video" || unit.codec !== "h264" || this.#isClosed) {
      return;
    }
    const { sps, pps, isKey, isEmpty } = inspect(unit.data);
    this.#sps = sps ?? this.#sps;
    this.#pps = pps ?? this.#pps;
    if (unit.dts < this.#newestDts || unit.pts - this.#newest > JUMP_US) {
      if (this.#newest > -Infinity) {
        this.#startOver(); /* it is another publisher's */
      }
    }
    this.#awaitsKey ||= unit.afterGap;
    if (isEmpty) {
      return;
    }
    if (!this.#sps || (this.#awaitsKey && !isKey)) {
      this.statistics.dropped++;
      this.options.onKeyWanted?.();
      return;
    }
    this.#awaitsKey = false;
    this.#newest = Math.max(this.#newest, unit.pts);
    this.#newestDts = unit.dts;
    const data = this.#complete(unit.data, isKey, sps);
    this.#enqueue({ data, byteLength: data.length, pts: unit.pts, isKey });
  }

  /* Some senders give the parameter sets once. */
  #complete(/** @type {Uint8Array} */ data, /** @type {boolean} */ isKey,
    /** @type {Uint8Array | null} */ sps) {
    return isKey && !sps && this.#sps && this.#pps
      ? withParameterSets([this.#sps, this.#pps], data)
      : data;
  }

  /** @param {Picture} picture */
  #enqueue(picture) {
    const oldest = this.#pending.first();
    if (picture.isKey && oldest && picture.pts - oldest.pts > LATE_US) {
      this.#dropPending();
    }
    if (!this.#pending.push(picture)) {
      this.#startOver();
      return;
    }
    if (picture.isKey) {
      this.#configure();
    }
    this.#feed();
  }

  #configure() {
    const codec = codecOf(/** @type {Uint8Array} */ (this.#sps));
    if (codec === this.#codec) {
      return;
    }
    this.#codec = codec;
    this.#isReady = false;
    void this.#check({ codec, optimizeForLatency: true });
  }

  /** @param {VideoDecoderConfig} config */
  async #check(config) {
    const isSupported = await VideoDecoder.isConfigSupported(config).then(
      (answer) => answer.supported,
      () => false,
    );
    if (this.#isClosed || config.codec !== this.#codec) {
      return;
    }
    if (!isSupported) {
      this.options.onError?.(
        unsupported(
          `this browser cannot decode ${config.codec}: publish H.264 in the Baseline, Main or ` +
            "High profile, 4:2:0, 8 bits",
        ),
      );
      return;
    }
    try {
      this.#decoder = this.#makeDecoder(this.#decoder);
      this.#isReady = true;
      this.#feed();
    } catch (fault) {
      this.#onFault(fault);
    }
  }

  /** @param {VideoDecoder | null} before */
  #makeDecoder(before) {
    let decoder = before;
    if (!decoder || decoder.state === "closed") {
      decoder = new VideoDecoder({
        output: (frame) => this.#onFrame(frame),
        error: (fault) => this.#onFault(fault),
      });
      decoder.ondequeue = () => this.#feed();
    }
    decoder.configure({
      codec: this.#codec,
      optimizeForLatency: true,
      hardwareAcceleration: this.#software ? "prefer-software" : "no-preference",
    });
    this.#held = 0;
    this.#heldSince = 0;
    return decoder;
  }

  #feed() {
    while (
      this.#isReady &&
      this.#decoder?.state === "configured" &&
      this.#decoder.decodeQueueSize < IN_DECODER_MAX
    ) {
      const picture = this.#pending.shift();
      if (!picture) {
        break;
      }
      this.#decode(this.#decoder, picture);
    }
  }

  /** @param {VideoDecoder} decoder @param {Picture} picture */
  #decode(decoder, picture) {
    try {
      if (this.#mustUseSoftware(decoder) && picture.isKey) {
        this.#software = true;
        this.#makeDecoder(decoder);
      }
      decoder.decode(
        new EncodedVideoChunk({
          type: picture.isKey ? "key" : "delta",
          timestamp: picture.pts,
          data: picture.data,
        }),
      );
      this.#held++;
    } catch (fault) {
      this.#onFault(fault);
    }
  }

  /* Hardware may keep pictures until more come: then each one is shown late, for ever. */
  #mustUseSoftware(/** @type {VideoDecoder} */ decoder) {
    const now = performance.now();
    /* What waits in front of the decoder is not held, also where that is never empty. */
    if (this.#held - decoder.decodeQueueSize <= HELD_MAX) {
      this.#heldSince = now;
    }
    return !this.#software && this.#heldSince > 0 && now - this.#heldSince > HELD_FOR_MS;
  }

  /** @param {VideoFrame} frame */
  #onFrame(frame) {
    this.#held = Math.max(0, this.#held - 1);
    this.#faults = 0;
    const now = performance.now();
    const isLate = this.#newest - frame.timestamp > LATE_US && now - this.#seenAt < UNSEEN_MS;
    if (isLate || this.#isClosed) {
      this.statistics.late++;
      frame.close();
    } else {
      this.#seenAt = now;
      this.#surface.show(frame, frame.timestamp);
    }
    this.#feed();
  }

  /** @param {unknown} fault */
  #onFault(fault) {
    if (this.#isClosed) {
      return;
    }
    this.statistics.faults++;
    this.#startOver();
    if (++this.#faults >= FAULTS_MAX) {
      this.#faults = 0;
      this.options.onError?.(damaged(fault));
    }
    /* A decoder that failed is closed: the next key picture gets another one. */
    this.#codec = "";
    this.#isReady = false;
  }
}
