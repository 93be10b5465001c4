/* Finds out what a topic sends and plays it with the player that suits it and this browser, which
 * is loaded then. Players: webcodecs and mse and mpegts for H.264, jsmpeg for MPEG-1, jpeg. */
import { unsupported } from "./errors.js";
import { newStatistics } from "./surface.js";
import { TsDemuxer } from "./ts.js";

const PENDING_MESSAGES_MAX = 1024;
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
};

/** @param {Uint8Array} bytes */
const isJpeg = (bytes) => bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;

export class Player {
  /** @type {any} the player of the present codec */
  #inner = null;
  /** @type {ArrayBuffer[]} */
  #pending = [];
  #pendingBytes = 0;
  #unknownBytes = 0;
  #kind = "";
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
    this.hasAudio = false;
    this.tables = new TsDemuxer({
      tablesOnly: true,
      onProgram: ({ video, audio }) => {
        this.hasAudio = audio !== null;
        this.#is(video ? video.codec : audio ? "audio" : "nothing");
      },
    });
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
      this.#is("jpeg");
    } else {
      this.tables.push(bytes);
    }
    if (this.#inner) {
      this.#inner.push(message);
    } else {
      this.#keep(message);
    }
  }

  /** What comes next does not go on with what came: the connection is another one. */
  reset() {
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#inner?.reset();
    this.tables.reset();
  }

  close() {
    this.#isClosed = true;
    this.#pending = [];
    this.#inner?.close();
    this.#inner = null;
  }

  /** @param {ArrayBuffer} message */
  #keep(message) {
    this.#pending.push(message);
    this.#pendingBytes += message.byteLength;
    this.#unknownBytes += this.#kind ? 0 : message.byteLength;
    const isTooMuch = this.#pendingBytes > PENDING_BYTES_MAX;
    if (isTooMuch || this.#pending.length > PENDING_MESSAGES_MAX) {
      this.#pendingBytes -= this.#pending.shift()?.byteLength ?? 0;
    }
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
      this.#pending = []; /* they are of the codec before */
      this.#pendingBytes = 0;
    }
    this.#kind = kind;
    this.#inner?.close();
    this.#inner = null;
    void this.#choose(kind);
  }

  /** @param {string} kind */
  async #choose(kind) {
    const { player = "auto", audio } = this.options;
    let names = suited[kind] ?? [];
    if (player !== "auto") {
      names = names.includes(player) ? [player] : [];
    } else if (audio && this.hasAudio) {
      names = [...names].sort((a, b) => Number(a === "webcodecs") - Number(b === "webcodecs"));
    }
    for (const name of names) {
      const type = await players[name]().catch(() => null);
      if (this.#isClosed || kind !== this.#kind) {
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
    this.#pending.splice(0).forEach((message) => this.#inner?.push(message));
    this.#pendingBytes = 0;
  }

  /** @param {string} message */
  #fail(message) {
    this.options.onError?.(unsupported(message));
  }
}
