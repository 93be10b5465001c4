/* <relay-video>: a topic's live picture. Attributes: src (URL of the session, or the relay's access
 * URL beside topic), topic, token, player, controls, stats, audio, poster, background. Properties:
 * getToken, connection. Parts: frame, picture, message, stats, controls, button. */
import { fetchSnapshot } from "./access.js";
import { Player } from "./player.js";
import { styleSheet } from "./style.js";
import { define, TopicElement } from "./topic-element.js";

const SILENT_MS = 3000;
const REFRESH_MS = 500;
const RATES_MS = 1900; /* four refreshes */

/**
 * @typedef {"idle" | "connecting" | "live" | "silent" | "reconnecting" | "paused" | "ended" |
 *   "unsupported"} VideoState
 */

const STYLE = `
:host { display: block; position: relative; aspect-ratio: 16 / 9; background: #000; color: #fff;
  font: 14px/1.4 system-ui, sans-serif; overflow: hidden; }
:host([hidden]) { display: none; }
.frame { position: absolute; inset: 0; display: grid; }
canvas, video, img { grid-area: 1 / 1; width: 100%; height: 100%; object-fit: contain;
  min-height: 0; min-width: 0; }
[hidden] { display: none !important; }
.message { grid-area: 1 / 1; align-self: center; justify-self: center; margin: 1em;
  padding: .5em 1em; border-radius: .5em; background: rgb(0 0 0 / .75); max-width: 36em;
  text-align: center; overflow-wrap: anywhere; }
.message:empty { display: none; }
.stats { grid-area: 1 / 1; align-self: start; justify-self: start; margin: .5em; padding: .4em .7em;
  border-radius: .4em; background: rgb(0 0 0 / .7); font: 12px/1.5 ui-monospace, monospace;
  white-space: pre; }
.controls { grid-area: 1 / 1; align-self: end; display: flex; gap: .3em; padding: .4em;
  background: linear-gradient(transparent, rgb(0 0 0 / .6)); opacity: 0; transition: opacity .2s; }
.frame:hover .controls, .controls:focus-within { opacity: 1; }
@media (hover: none) { .controls { opacity: 1; } }
@media (prefers-reduced-motion: reduce) { .controls { transition: none; opacity: 1; } }
button { font: inherit; color: inherit; background: rgb(0 0 0 / .5); border: 1px solid #fff6;
  border-radius: .4em; padding: .2em .7em; min-height: 2.2em; cursor: pointer; }
button:focus-visible { outline: 2px solid #6cf; outline-offset: 1px; }
`;

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name @param {Record<string, string>} attributes
 */
function make(name, attributes) {
  const element = document.createElement(name);
  Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
  return element;
}

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
  #rates = { at: 0, shown: 0, bytes: 0, picturesPerSecond: 0, kilobitsPerSecond: 0 };
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #refreshing = undefined;
  #startedAt = 0;
  #picturedAt = 0;
  #posterUrl = "";
  #isMuted = true;
  #shape = styleSheet("");
  /** @type {AbortSignal | undefined} */
  #signal = undefined;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [styleSheet(STYLE), this.#shape];
    this.frame = make("div", { class: "frame", part: "frame", role: "group" });
    this.canvas = make("canvas", { part: "picture", role: "img" });
    this.video = make("video", { part: "picture", playsinline: "", muted: "", hidden: "" });
    this.poster = make("img", { part: "picture", alt: "", hidden: "" });
    this.message = make("p", { class: "message", part: "message", role: "status" });
    this.overlay = make("div", { class: "stats", part: "stats", hidden: "" });
    this.controls = make("div", { class: "controls", part: "controls", role: "toolbar",
      "aria-label": "Video controls", hidden: "" });
    this.frame.append(this.canvas, this.video, this.poster, this.message, this.overlay,
      this.controls);
    root.append(this.frame);
    this.#makeControls();
    /** @type {VideoState} */
    this.state = "idle";
    /** @type {import("./errors.js").RelayError | null} */
    this.error = null;
    /** From the first attempt to the first picture on the screen. @type {number | null} */
    this.startMs = null;
  }

  connectedCallback() {
    this.#label();
    this.#refreshing = setInterval(() => this.#refresh(), REFRESH_MS);
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
      this.controls.hidden = !this.hasAttribute("controls");
      this.overlay.hidden = !this.hasAttribute("stats");
      this.#refresh();
    } else if (name === "label") {
      this.#label();
    } else {
      this.restart();
    }
  }

  /** What the overlay shows. */
  get statistics() {
    const { shown, late, dropped, faults } = this.#player?.statistics ?? {
      shown: 0, late: 0, dropped: 0, faults: 0 };
    const { picturesPerSecond, kilobitsPerSecond } = this.#rates;
    return { shown, late, dropped, faults, lagMs: this.#player?.lagMs ?? 0,
      codec: this.#player?.codec ?? "", player: this.#player?.name ?? "",
      reconnects: Math.max(0, (this.connection?.statistics.opened ?? 0) - 1),
      latency: this.connection?.latency ?? null, picturesPerSecond,
      kilobitsPerSecond };
  }

  /** The picture that is on the screen. @param {string} [type] @returns {Promise<Blob | null>} */
  snapshot(type = "image/png") {
    let { canvas } = this;
    if (!this.video.hidden) {
      canvas = make("canvas", {});
      canvas.width = this.video.videoWidth;
      canvas.height = this.video.videoHeight;
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

  #makeControls() {
    const button = (/** @type {string} */ text, /** @type {() => void} */ act) => {
      const element = make("button", { part: "button", type: "button" });
      element.textContent = text;
      element.addEventListener("click", act);
      this.controls.append(element);
      return element;
    };
    this.pauseButton = button("Pause", () =>
      this.state === "paused" ? this.play() : this.pause());
    this.muteButton = button("Sound on", () => {
      this.muted = !this.muted;
    });
    button("Statistics", () => this.toggleAttribute("stats"));
    button("Full screen", () => {
      const change = document.fullscreenElement ? document.exitFullscreen()
        : this.requestFullscreen();
      change.catch(() => {});
    });
  }

  #label() {
    const label = this.getAttribute("label") ?? `Live video${
      this.getAttribute("topic") ? ` of ${this.getAttribute("topic")}` : ""}`;
    this.frame.setAttribute("aria-label", label);
    this.canvas.setAttribute("aria-label", label);
    this.video.setAttribute("aria-label", label);
  }

  /**
   * @param {import("./connection.js").RelayConnection} connection @param {AbortSignal} signal
   */
  attached(connection, signal) {
    this.#signal = signal;
    this.#startedAt = performance.now();
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
      onError: (error) => this.#onPlayerError(error),
    });
    this.#player.muted = this.#isMuted;
  }

  detached() {
    this.#player?.close();
    this.#player = null;
    this.#picturedAt = 0;
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
      this.#player?.reset();
      if (this.state !== "unsupported") {
        this.#say(this.#picturedAt ? this.state : "connecting", null);
      }
      if (!this.#picturedAt && this.hasAttribute("poster")) {
        void this.#showPoster(connection);
      }
    } else if (state === "ended") {
      this.#say("ended", error);
    } else if (state === "paused") {
      this.#say("paused", null);
    } else if (error) {
      this.#say("reconnecting", error);
    } else {
      this.#say("connecting", null);
    }
  }

  #onPicture() {
    const now = performance.now();
    this.#picturedAt = now;
    if (this.startMs === null) {
      this.startMs = now - this.#startedAt;
      this.dispatchEvent(new CustomEvent("relay-picture", { detail: { startMs: this.startMs } }));
    }
    this.connection?.reportPlayer(this.statistics);
    if (this.state !== "live" && this.connection?.state === "open") {
      this.#hidePoster();
      this.#say("live", null);
      this.#keepShape();
    }
  }

  /* The element has the picture's shape, unless the page gave it one. */
  #keepShape() {
    const width = this.video.hidden ? this.canvas.width : this.video.videoWidth;
    const height = this.video.hidden ? this.canvas.height : this.video.videoHeight;
    if (width && height) {
      this.#shape.replaceSync(`:host { aspect-ratio: ${width} / ${height}; }`);
    }
  }

  /** @param {import("./errors.js").RelayError} error */
  #onPlayerError(error) {
    this.#say("unsupported", error);
  }

  /** @param {import("./connection.js").RelayConnection} connection */
  async #showPoster(connection) {
    try {
      const signal = this.#signal;
      const picture = await fetchSnapshot(connection.session, connection.token ?? "", {
        accept: "image/jpeg, */*;q=0.1", signal });
      if (picture?.type === "image/jpeg" && !this.#picturedAt && !signal?.aborted) {
        this.#hidePoster();
        this.#posterUrl = URL.createObjectURL(picture);
        this.poster.src = this.#posterUrl;
        this.poster.hidden = false;
      }
    } catch {
      /* There is none: the first picture comes without. */
    }
  }

  #hidePoster() {
    if (this.#posterUrl) {
      URL.revokeObjectURL(this.#posterUrl);
      this.#posterUrl = "";
      this.poster.hidden = true;
      this.poster.removeAttribute("src");
    }
  }

  #measure() {
    const at = performance.now();
    const { shown } = this.#player?.statistics ?? { shown: 0 };
    const bytes = this.connection?.statistics.bytes ?? 0;
    const seconds = (at - this.#rates.at) / 1000;
    if (seconds * 1000 >= RATES_MS) {
      const picturesPerSecond = Math.max(0, shown - this.#rates.shown) / seconds;
      const kilobitsPerSecond = Math.max(0, bytes - this.#rates.bytes) / seconds / 125;
      this.#rates = { at, shown, bytes, picturesPerSecond, kilobitsPerSecond };
    }
  }

  #refresh() {
    this.#measure();
    const isSilent = this.#picturedAt > 0 && performance.now() - this.#picturedAt > SILENT_MS;
    const isOpen = this.connection?.state === "open";
    if (isOpen && (this.state === "live" ? isSilent
      : this.state === "connecting" && performance.now() - this.#startedAt > SILENT_MS)) {
      this.#say("silent", null);
    }
    this.pauseButton && (this.pauseButton.textContent = this.state === "paused" ? "Play" : "Pause");
    if (this.muteButton) {
      this.muteButton.hidden = !this.#player?.hasAudio;
      this.muteButton.textContent = this.#isMuted ? "Sound on" : "Sound off";
    }
    if (!this.overlay.hidden) {
      this.overlay.textContent = this.#describe();
    }
  }

  #describe() {
    const { codec, player, picturesPerSecond, kilobitsPerSecond, late, dropped, faults, lagMs,
      reconnects, latency } = this.statistics;
    const { width, height } = this.video.hidden ? this.canvas
      : { width: this.video.videoWidth, height: this.video.videoHeight };
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
    this.frame.setAttribute("part", `frame ${state}`);
    this.message.textContent = this.#saying();
    this.#refresh();
    this.dispatchEvent(new CustomEvent("relay-state", { detail: { state, error } }));
  }

  #saying() {
    if (this.error) {
      const { message } = this.error;
      const sentence = message[0].toUpperCase() + message.slice(1);
      return this.state === "reconnecting" ? `${sentence}. Trying again …` : `${sentence}.`;
    }
    return this.state === "ended" ? "The connection was ended." : (SAYINGS[this.state] ?? "");
  }
}

define("relay-video", RelayVideoElement);
