/* Finds out what a topic sends and plays it with the player that suits it and this browser, which
 * is loaded then. Players: webcodecs and mse and mpegts for H.264, jsmpeg for MPEG-1, jpeg. */
import { Backlog } from "./bytes.js";
import { unsupported } from "./errors.js";
import { newStatistics } from "./surface.js";
import { TsDemuxer } from "./ts.js";

const PENDING_BYTES_MAX = 16 * 1024 * 1024;
const UNKNOWN_BYTES_MAX = 1024 * 1024; /* without finding out: it is not video */

/** @typedef {"auto" | "webcodecs" | "mse" | "mpegts" | "jsmpeg" | "jpeg"} PlayerName */

/** @type {Record<string, () => Promise<any>>} */
const players = {
  webcodecs: async () => (await import("./player-webcodecs.js")).WebCodecsPlayer,
  mse: async () => (await import("./player-mse.js")).MsePlayer,
  mpegts: async () => (await import("./player-mpegts.js")).MpegtsPlayer,
  jsmpeg: async () => (await import("./player-jsmpeg.js")).JsmpegPlayer,
  jpeg: async () => (await import("./player-jpeg.js")).JpegPlayer,
};

/** Of each codec, best first. @type {Record<string, PlayerName[]>} */
const suited = {
  h264: ["webcodecs", "mse", "mpegts"],
  mpeg: ["jsmpeg"],
  jpeg: ["jpeg"],
};

/** @type {Record<string, string>} */
const cures = {
  h264:
    "this browser cannot play H.264 here. WebCodecs needs a page of https://, and other browsers " +
    "the package mpegts.js",
  h265: "H.265 is played by few browsers: publish H.264",
  audio: "the stream has sound and no video",
  nothing: "the stream has no video of a known kind",
};

/** @param {Uint8Array} bytes */
const isJpeg = (bytes) => bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;

export class Player {
  #tables;

  /** @type {any} the player of the present codec */
  #inner = null;
  /** @type {Backlog<ArrayBuffer>} */
  #pending = new Backlog(PENDING_BYTES_MAX);
  #unknownBytes = 0;
  #kind = "";
  #choices = 0;
  #hasSound = false;
  #isMuted = true;
  #isClosed = false;

  /**
   * @param {import("./surface.js").PlayerOptions & {player?: PlayerName, audio?: boolean,
   *   onSurface?: (surface: "canvas" | "video") => void}} options with audio, players with sound
   *   are preferred
   */
  constructor(options) {
    this.options = options;
    /** @type {string} the one in use */
    this.name = "";
    this.#tables = new TsDemuxer({
      tablesOnly: true,
      onProgram: ({ video, audio }) => {
        this.#hasSound = audio !== null;
        this.#is(video ? video.codec : audio ? "audio" : "nothing");
      },
    });
  }

  /** Whether there is sound, and the player in use plays it. */
  get hasAudio() {
    return this.#hasSound && this.#inner !== null && "muted" in this.#inner;
  }

  get statistics() {
    return this.#inner?.statistics ?? newStatistics();
  }

  get lagMs() {
    return this.#inner?.lagMs ?? 0;
  }

  get codec() {
    return this.#inner?.codec || this.#kind;
  }

  set muted(/** @type {boolean} */ muted) {
    this.#isMuted = muted;
    if (this.#inner && "muted" in this.#inner) {
      this.#inner.muted = muted;
    }
  }

  /** @param {ArrayBuffer} message */
  push(message) {
    const bytes = new Uint8Array(message);
    if (isJpeg(bytes)) {
      this.#tables.reset(); /* so that they are told anew when they come back */
      this.#is("jpeg");
    } else {
      this.#tables.push(bytes);
    }
    if (this.#inner) {
      this.#inner.push(message);
    } else if (!this.#isClosed) {
      this.#keep(message);
    }
  }

  /** What comes next does not go on with what came: the connection is another one. */
  reset() {
    this.#pending.take();
    this.#tables.reset();
    if (this.#inner) {
      this.#inner.reset();
    } else {
      this.#kind = ""; /* what could not be loaded may be there now */
    }
  }

  close() {
    this.#isClosed = true;
    this.#pending.take();
    this.#inner?.close();
    this.#inner = null;
  }

  /** @param {ArrayBuffer} message */
  #keep(message) {
    this.#pending.push(message);
    this.#unknownBytes += this.#kind ? 0 : message.byteLength;
    if (!this.#kind && this.#unknownBytes > UNKNOWN_BYTES_MAX) {
      this.#unknownBytes = -Infinity;
      this.#fail("the topic's binary messages are neither a transport stream nor JPEG");
    }
  }

  /** @param {string} kind */
  #is(kind) {
    if (kind === this.#kind || this.#isClosed) {
      return;
    }
    if (this.#kind) {
      this.#pending.take(); /* they are of the codec before */
    }
    this.#kind = kind;
    this.#inner?.close();
    this.#inner = null;
    void this.#choose(kind);
  }

  /** @param {string} kind */
  async #choose(kind) {
    const { player = "auto", audio } = this.options;
    const choice = ++this.#choices;
    let names = suited[kind] ?? [];
    if (player !== "auto") {
      names = names.includes(player) ? [player] : [];
    } else if (audio && this.#hasSound) {
      names = [...names].sort((a, b) => Number(a === "webcodecs") - Number(b === "webcodecs"));
    }
    for (const name of names) {
      const type = await players[name]().catch(() => null);
      if (this.#isClosed || choice !== this.#choices) {
        return;
      }
      if (type?.isSupported()) {
        this.#start(name, type);
        return;
      }
    }
    const forced = `the player ${player} does not play ${kind} here`;
    this.#fail(player === "auto" ? (cures[kind] ?? `no player for ${kind}`) : forced);
  }

  /** @param {string} name @param {any} type */
  #start(name, type) {
    this.name = name;
    this.options.onSurface?.(name === "mse" || name === "mpegts" ? "video" : "canvas");
    this.#inner = new type(this.options);
    this.muted = this.#isMuted;
    this.#pending.take().forEach((message) => this.#inner?.push(message));
  }

  /** @param {string} message */
  #fail(message) {
    this.options.onError?.(unsupported(message));
  }
}
