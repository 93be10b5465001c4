/* <relay-video>: a topic's live picture. Attributes: src (URL of the session, or the relay's access
 * URL beside topic), topic, token, player, controls, stats, audio, poster, background. Properties:
 * getToken, connection. Parts: frame, picture, message, stats, controls, button. */
import { fetchSnapshot } from "./access.js";
import { Player } from "./player.js";
import { furnish, sentence, styleSheet } from "./style.js";
import { newStatistics } from "./surface.js";
import { define, TopicElement } from "./topic-element.js";

const SILENT_MS = 3000;
const REFRESH_MS = 500;
const SAMPLES = 5; /* two seconds */

/**
 * @typedef {"idle" | "connecting" | "live" | "silent" | "reconnecting" | "paused" | "ended" |
 *   "unsupported"} VideoState
 */

const STYLE = `
:host { position: relative; aspect-ratio: 16 / 9; background: #000; color: #fff;
  overflow: hidden; }
.frame { position: absolute; inset: 0; display: grid; }
.frame > * { grid-area: 1 / 1; }
canvas, video, img { width: 100%; height: 100%; object-fit: contain; min-height: 0; min-width: 0; }
.message { place-self: center; margin: 1em; padding: .5em 1em; border-radius: .4em;
  background: rgb(0 0 0 / .75); max-width: 36em; text-align: center; overflow-wrap: anywhere; }
.stats { place-self: start; margin: .5em; padding: .4em 1em; border-radius: .4em;
  background: rgb(0 0 0 / .75); font: 12px/1.5 ui-monospace, monospace; white-space: pre-wrap; }
.controls { align-self: end; display: flex; flex-wrap: wrap; gap: .4em; padding: .4em;
  background: linear-gradient(transparent, rgb(0 0 0 / .75)); opacity: 0; transition: opacity .2s; }
.frame:hover .controls, .controls:focus-within { opacity: 1; }
@media (hover: none) { .controls { opacity: 1; } }
@media (prefers-reduced-motion: reduce) { .controls { transition: none; opacity: 1; } }
button { background: rgb(0 0 0 / .75); border-color: #fff6; }
`;

const HTML = `<div class="frame" part="frame" role="group">
<canvas part="picture" role="img"></canvas>
<video part="picture" playsinline muted hidden></video>
<img part="picture" alt="" hidden>
<div class="stats" part="stats" hidden></div>
<p class="message" part="message" role="status"></p>
<div class="controls" part="controls" role="toolbar" aria-label="Video controls" hidden></div>
</div>`;

/** @type {Partial<Record<VideoState, string>>} */
const SAYINGS = {
  connecting: "Connecting …",
  silent: "Connected. Waiting for pictures …",
  paused: "Paused",
};

export class RelayVideoElement extends TopicElement {
  static observedAttributes = ["src", "topic", "token", "player", "controls", "stats", "audio",
    "label"];

  /** @type {Player | null} */
  #player = null;
  /** @type {{at: number, shown: number, bytes: number}[]} since it is live, the last ones */
  #samples = [];
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #refreshing = undefined;
  #startedAt = 0;
  #quietSince = 0;
  #hasPictured = false;
  #posterUrl = "";
  #isMuted = true;
  #shape = styleSheet("");
  /** @type {AbortSignal | undefined} */
  #signal = undefined;
  /** @type {HTMLCanvasElement} */
  canvas;
  /** @type {HTMLVideoElement} */
  video;
  /** @type {HTMLElement} what is said in words */
  message;
  /** @type {HTMLElement} */
  #frame;
  /** @type {HTMLImageElement} */
  #poster;
  /** @type {HTMLElement} */
  #overlay;
  /** @type {HTMLElement} */
  #controls;
  #pauseButton;
  #muteButton;
  /** @type {VideoState} */
  state = "idle";
  /** @type {import("./errors.js").RelayError | null} */
  error = null;
  /** From the first attempt to the first picture on the screen. @type {number | null} */
  startMs = null;

  constructor() {
    super();
    const root = furnish(this, STYLE, HTML);
    root.adoptedStyleSheets.push(this.#shape);
    [this.#frame] = /** @type {any} */ (root.children);
    [this.canvas, this.video, this.#poster, this.#overlay, this.message, this.#controls] =
      /** @type {any} */ (this.#frame.children);
    this.#pauseButton = this.#button("Pause", () =>
      this.state === "paused" ? this.play() : this.pause());
    this.#muteButton = this.#button("Sound on", () => {
      this.muted = !this.muted;
    });
    this.#button("Statistics", () => this.toggleAttribute("stats"));
    this.#button("Full screen", () => {
      const change = document.fullscreenElement ? document.exitFullscreen()
        : this.requestFullscreen();
      change.catch(() => {});
    }).hidden = !document.fullscreenEnabled;
  }

  connectedCallback() {
    this.#label();
    this.#refreshing = setInterval(() => {
      this.#sample();
      this.#refresh();
    }, REFRESH_MS);
    super.connectedCallback();
  }

  disconnectedCallback() {
    clearInterval(this.#refreshing);
    super.disconnectedCallback();
  }

  /** @param {string} name @param {string | null} before @param {string | null} after */
  attributeChangedCallback(name, before, after) {
    if (before === after) {
      return;
    }
    if (name === "controls" || name === "stats") {
      this.#controls.hidden = !this.hasAttribute("controls");
      this.#overlay.hidden = !this.hasAttribute("stats");
      this.#refresh();
    } else if (name === "label") {
      this.#label();
    } else {
      this.restart();
    }
  }

  /** What the overlay shows. */
  get statistics() {
    const player = this.#player;
    const [first, last] = [this.#samples[0], this.#samples[this.#samples.length - 1]];
    const seconds = first && (last.at - first.at) / 1000;
    const rate = (/** @type {"shown" | "bytes"} */ what) =>
      seconds ? Math.max(0, last[what] - first[what]) / seconds : 0;
    return { ...(player?.statistics ?? newStatistics()), lagMs: player?.lagMs ?? 0,
      codec: player?.codec ?? "", player: player?.name ?? "",
      reconnects: Math.max(0, (this.connection?.statistics.opened ?? 0) - 1),
      latency: this.connection?.latency ?? null, picturesPerSecond: rate("shown"),
      kilobitsPerSecond: rate("bytes") / 125 };
  }

  /** The picture that is on the screen. @param {string} [type] @returns {Promise<Blob | null>} */
  snapshot(type = "image/png") {
    let { canvas } = this;
    if (!this.#hasPictured) {
      return Promise.resolve(null);
    }
    if (!this.video.hidden) {
      canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = this.#size();
      canvas.getContext("2d")?.drawImage(this.video, 0, 0);
    }
    return new Promise((resolve) => canvas.toBlob(resolve, type));
  }

  pause() {
    this.connection?.pause();
  }

  play() {
    this.connection?.resume();
  }

  get muted() {
    return this.#isMuted;
  }

  set muted(muted) {
    this.#isMuted = muted;
    if (this.#player) {
      this.#player.muted = muted;
    }
    this.#refresh();
  }

  /** @param {string} text @param {() => void} act */
  #button(text, act) {
    const element = document.createElement("button");
    element.type = element.part.value = "button";
    element.textContent = text;
    element.onclick = act;
    this.#controls.append(element);
    return element;
  }

  #label() {
    const topic = this.getAttribute("topic");
    const label = this.getAttribute("label") ?? `Live video${topic ? ` of ${topic}` : ""}`;
    for (const element of [this.#frame, this.canvas, this.video]) {
      element.setAttribute("aria-label", label);
    }
  }

  /**
   * @param {import("./connection.js").RelayConnection} connection @param {AbortSignal} signal
   */
  attached(connection, signal) {
    this.#signal = signal;
    this.#startedAt = this.#quietSince = performance.now();
    this.startMs = null;
    this.#makePlayer();
    connection.addEventListener("message", (event) => {
      const { data } = /** @type {MessageEvent} */ (event);
      if (typeof data !== "string") {
        this.#player?.push(data);
      }
    }, { signal });
    connection.addEventListener("state", () => this.#onState(connection), { signal });
    this.#onState(connection);
  }

  #makePlayer() {
    this.#player?.close();
    this.#player = new Player({
      canvas: this.canvas,
      video: this.video,
      player: /** @type {any} */ (this.getAttribute("player") ?? "auto"),
      audio: this.hasAttribute("audio"),
      onPicture: () => this.#onPicture(),
      onSurface: (surface) => {
        this.canvas.hidden = surface !== "canvas";
        this.video.hidden = surface !== "video";
      },
      onError: (error) => this.#say("unsupported", error),
      onKeyWanted: () => this.connection?.askForKeyPicture(),
    });
    this.#player.muted = this.#isMuted;
  }

  detached() {
    this.#player?.close();
    this.#player = null;
    this.#hasPictured = false;
    this.#samples = [];
    this.#hidePoster();
  }

  /** @param {import("./errors.js").RelayError | null} error */
  unavailable(error) {
    this.#say(error ? "ended" : "idle", error);
  }

  /** @param {import("./connection.js").RelayConnection} connection */
  #onState(connection) {
    const { state, error } = connection;
    if (state === "open") {
      this.#quietSince = performance.now();
      this.#player?.reset();
      if (this.state !== "unsupported") {
        this.#say("connecting", null);
      }
      if (!this.#hasPictured && this.hasAttribute("poster")) {
        void this.#showPoster(connection);
      }
    } else if (state === "ended" || state === "paused") {
      this.#say(state, error);
    } else {
      this.#say(error ? "reconnecting" : "connecting", error);
    }
  }

  #onPicture() {
    const now = performance.now();
    this.#hasPictured = true;
    this.#quietSince = now;
    if (this.startMs === null) {
      this.startMs = now - this.#startedAt;
      this.dispatchEvent(new CustomEvent("relay-picture", { detail: { startMs: this.startMs } }));
    }
    this.connection?.reportPlayer(this.#player?.statistics ?? newStatistics());
    if (this.state !== "live" && this.connection?.state === "open") {
      this.#samples = [];
      this.#sample();
      this.#hidePoster();
      this.#say("live", null);
      this.#keepShape();
    }
  }

  /** Of the picture, in pixels. */
  #size() {
    const { canvas, video } = this;
    return video.hidden ? [canvas.width, canvas.height] : [video.videoWidth, video.videoHeight];
  }

  /* The element has the picture's shape, unless the page gave it one. */
  #keepShape() {
    const [width, height] = this.#size();
    if (width && height) {
      this.#shape.replaceSync(`:host { aspect-ratio: ${width} / ${height}; }`);
    }
  }

  /** @param {import("./connection.js").RelayConnection} connection */
  async #showPoster(connection) {
    try {
      const signal = this.#signal;
      const picture = await fetchSnapshot(connection.session, connection.token ?? "", {
        accept: "image/jpeg, */*;q=0.1", signal });
      if (picture?.type === "image/jpeg" && !this.#hasPictured && !signal?.aborted) {
        this.#hidePoster();
        this.#posterUrl = URL.createObjectURL(picture);
        this.#poster.src = this.#posterUrl;
        this.#poster.hidden = false;
      }
    } catch {
      /* There is none: the first picture comes without. */
    }
  }

  #hidePoster() {
    if (this.#posterUrl) {
      URL.revokeObjectURL(this.#posterUrl);
      this.#posterUrl = "";
      this.#poster.hidden = true;
      this.#poster.removeAttribute("src");
    }
  }

  #sample() {
    const { shown } = this.#player?.statistics ?? newStatistics();
    this.#samples.push({ at: performance.now(), shown,
      bytes: this.connection?.statistics.bytes ?? 0 });
    this.#samples.splice(0, this.#samples.length - SAMPLES);
  }

  #refresh() {
    const isSilent = performance.now() - this.#quietSince > SILENT_MS;
    if (isSilent && this.connection?.state === "open" && this.state !== "unsupported") {
      this.#say("silent", null);
    }
    this.#pauseButton.textContent = this.state === "paused" ? "Play" : "Pause";
    this.#muteButton.hidden = !this.#player?.hasAudio;
    this.#muteButton.textContent = this.#isMuted ? "Sound on" : "Sound off";
    if (!this.#overlay.hidden) {
      this.#overlay.textContent = this.#describe();
    }
  }

  #describe() {
    const { codec, player, picturesPerSecond, kilobitsPerSecond, late, dropped, faults, lagMs,
      reconnects, latency } = this.statistics;
    const [width, height] = this.#size();
    const hops = Object.entries(latency ?? {}).map(([hop, ms]) => `${hop} ${Math.round(ms)} ms`);
    return [
      `${codec || "no video"}${player ? ` by ${player}` : ""} ${width}×${height}`,
      `${picturesPerSecond.toFixed(1)} pictures/s  ${kilobitsPerSecond.toFixed(0)} kbit/s`,
      `behind ${Math.round(lagMs)} ms  not shown ${late}  dropped ${dropped}  faults ${faults}`,
      `latency ${hops.length > 0 ? hops.join(", ") : "unknown to this relay"}`,
      `reconnects ${reconnects}  ${this.connection?.state ?? "no connection"}`,
    ].join("\n");
  }

  /** @param {VideoState} state @param {import("./errors.js").RelayError | null} error */
  #say(state, error) {
    const changed = state !== this.state || error?.message !== this.error?.message;
    this.state = state;
    this.error = error;
    if (!changed) {
      return;
    }
    this.setAttribute("state", state);
    this.#frame.setAttribute("part", `frame ${state}`);
    this.message.textContent = this.#saying();
    this.#refresh();
    this.dispatchEvent(new CustomEvent("relay-state", { detail: { state, error } }));
  }

  #saying() {
    if (this.error) {
      const said = sentence(this.error.message);
      return this.state === "reconnecting" ? `${said} Trying again …` : said;
    }
    return this.state === "ended" ? "The connection was ended." : (SAYINGS[this.state] ?? "");
  }
}

define("relay-video", RelayVideoElement);
