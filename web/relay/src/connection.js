/* One connection to a topic that keeps itself alive: POST, URI, WebSocket, and again with a fresh
 * code whenever it ends, until the caller or the relay says that it is over. */
import { requestUri, sessionUrl } from "./access.js";
import { Backoff } from "./backoff.js";
import { Backlog } from "./bytes.js";
import { RelayError } from "./errors.js";
import { allows, isExpired } from "./token.js";
import { V1, V1Session } from "./v1.js";
import { Watch } from "./watch.js";

const ATTEMPT_MS = 10_000;
const SETTLED_MS = 5000; /* a connection that lasted so long was a success */
const ITERATOR_MESSAGES_MAX = 256;
const ITERATOR_BYTES_MAX = 16 * 1024 * 1024;
const UNSENT_BYTES_MAX = 1024 * 1024;
const RENEW_BEFORE_MS = 10_000; /* or the last fifth of a shorter life */
const RENEW_AFTER_MS = 1000; /* and not sooner, whatever the relay's clock says */
const RENEW_AGAIN_MS = 10_000;
const RENEWED = 1; /* result */
const PUT_OFF = 5; /* the relay has not looked at it, and will once a second */
const CLOSE_EXPIRED = 4401;
const CLOSE_DENIED = 4403;
const CLOSE_TOO_BIG = 1009;

/**
 * @typedef {"connecting" | "open" | "waiting" | "paused" | "ended"} ConnectionState
 *
 * @typedef {{signal: AbortSignal, reason: "start" | "expired" | "refused",
 *   previous: string | null}} TokenRequest
 *
 * @typedef {object} ConnectOptions
 * @property {string | URL} access the relay's access URL, or that of a session
 * @property {string} [topic] needed where access is not that of a session
 * @property {string | ((request: TokenRequest) => string | Promise<string>)} token a function is
 *   asked for the first one, and for another when the relay says that it expired
 * @property {AbortSignal} [signal] ends the connection
 * @property {boolean} [pauseWhenHidden] gives the connection up while the page is hidden
 * @property {Record<string, string | number>} [wishes] more of the URI's query: join, recover,
 *   max-age
 * @property {typeof globalThis.WebSocket} [WebSocket] where the platform has none (Node 20)
 *
 * @typedef {object} StateDetail
 * @property {ConnectionState} state
 * @property {RelayError | null} error why it is not open
 * @property {number} [retryInMs] with state "waiting"
 */

/** @param {number} closeCode @param {string} reason @param {boolean} opened */
function closeError(closeCode, reason, opened) {
  const isFinal = closeCode === CLOSE_DENIED;
  const error = (/** @type {RelayError["kind"]} */ kind, /** @type {string} */ message) =>
    new RelayError(kind, message, { closeCode, isFinal });
  if (!opened) {
    return error("closed", "the relay did not open the WebSocket");
  }
  switch (closeCode) {
    case CLOSE_EXPIRED:
      return error("expired", "the token has expired");
    case CLOSE_DENIED:
      return error("denied", "the booking was cancelled");
    case CLOSE_TOO_BIG:
      return error("closed", "a message was too big for the relay");
    default:
      return error("closed", `the connection ended (${closeCode})${reason && `: ${reason}`}`);
  }
}

/** @param {AbortSignal} signal @returns {Promise<never>} */
const aborted = (signal) => new Promise((_, reject) =>
  signal.addEventListener("abort", () => reject(signal.reason)));

/**
 * Events: "state" (CustomEvent of StateDetail), "message" (MessageEvent of text or ArrayBuffer,
 * with the member envelope where the relay speaks relay.v1), "live" (CustomEvent of boolean,
 * likewise), "end" (CustomEvent of RelayError or null: there will be no more).
 */
export class RelayConnection extends EventTarget {
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {string | null} */
  #token = null;
  /** @type {V1Session | null} */
  #v1 = null;
  #offersV1 = true;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #renewal = undefined;
  #ending = new AbortController();
  /** What is under way. @type {Set<AbortController>} */
  #steps = new Set();
  #backoff = new Backoff();
  #watch;
  /** @type {(() => void) | null} */
  #wake = null;
  #renewed = false;
  #isPaused = false;
  #isHidden = false;

  /** @param {ConnectOptions} options */
  constructor(options) {
    super();
    this.options = options;
    this.session = sessionUrl(options.access, options.topic);
    /** @type {ConnectionState} */
    this.state = "connecting";
    /** @type {RelayError | null} the last fault, null while it is open */
    this.error = null;
    /** Whether the topic has a live publisher, where the relay tells. @type {boolean | null} */
    this.isLive = null;
    this.statistics = { opened: 0, messages: 0, bytes: 0, refusedSends: 0 };
    this.#watch = new Watch({
      onVisible: (visible) => this.#onVisible(visible),
      onOnline: () => this.#hurry(),
      onDoubt: () => this.#v1?.askClockAnew(),
      onWoken: () => this.#reopen("this machine was asleep"),
    });
    this.#isHidden = this.#watch.hidden && options.pauseWhenHidden === true;
    const { signal } = options;
    signal?.addEventListener("abort", () => this.close(), { signal: this.#ending.signal });
    if (signal?.aborted) {
      this.close();
    }
    /** Resolves when the connection has ended for good. */
    this.finished = this.#run();
  }

  /** The token in use. */
  get token() {
    return this.#token;
  }

  /** Whether the token allows sending; false before there is one. */
  get canSend() {
    return this.#token !== null && allows(this.#token, "write");
  }

  get isOpen() {
    return this.#socket?.readyState === 1;
  }

  /**
   * Sends now, or not at all: nothing is queued for later, as an old command may be a wrong one.
   *
   * @param {string | ArrayBuffer | ArrayBufferView<ArrayBuffer> | Blob} data
   * @returns {boolean} whether it was sent
   */
  send(data) {
    if (!this.#socket || !this.isOpen || this.#socket.bufferedAmount > UNSENT_BYTES_MAX) {
      this.statistics.refusedSends++;
      return false;
    }
    this.#socket.send(/** @type {string} */ (this.#v1 ? this.#v1.wrap(data) : data));
    return true;
  }

  /** Milliseconds that the newest picture took on each hop up to now; null where none tells. */
  get latency() {
    return this.#v1?.latency() ?? null;
  }

  /** Milliseconds to the relay and back, where it tells; else null. */
  get roundTripMs() {
    return this.#v1 && this.#v1.roundTrip / 1000;
  }

  /** For players: what became of the messages, of which the relay is told once a second. */
  reportPlayer(/** @type {{dropped: number}} */ statistics) {
    this.#v1?.report(statistics);
  }

  /** For players: asks the publisher for a picture that needs no other. */
  askForKeyPicture() {
    this.#v1?.askForKeyPicture();
  }

  /** Ends the connection for good. */
  close() {
    this.#end(null);
  }

  /** Gives the connection up until resume(). */
  pause() {
    this.#isPaused = true;
    this.#suspend();
  }

  resume() {
    this.#isPaused = false;
    this.#goOn();
  }

  /**
   * The messages from now on. A caller that is too slow loses the oldest ones.
   *
   * @returns {AsyncGenerator<string | ArrayBuffer, void, void>}
   */
  async *[Symbol.asyncIterator]() {
    /** @type {Backlog<string | ArrayBuffer>} */
    const queue = new Backlog(ITERATOR_BYTES_MAX, ITERATOR_MESSAGES_MAX);
    /** @type {(() => void) | null} */
    let wake = null;
    const onMessage = (/** @type {Event} */ event) => {
      queue.push(/** @type {MessageEvent} */ (event).data);
      wake?.();
    };
    const onEnd = () => wake?.();
    this.addEventListener("message", onMessage);
    this.addEventListener("end", onEnd);
    try {
      while (queue.length > 0 || this.state !== "ended") {
        const message = queue.shift();
        if (message !== undefined) {
          yield message;
        } else {
          await new Promise((resolve) => (wake = () => resolve(undefined)));
        }
      }
    } finally {
      this.removeEventListener("message", onMessage);
      this.removeEventListener("end", onEnd);
    }
  }

  async #run() {
    while (this.state !== "ended") {
      if (this.#isSuspended) {
        this.#say("paused", null);
        await this.#sleep(null);
        continue;
      }
      this.#say("connecting", this.error);
      try {
        await this.#limited((signal, onOpen) => this.#attempt(signal, onOpen));
      } catch (fault) {
        if (fault !== null && !this.#ending.signal.aborted && !this.#isSuspended) {
          await this.#recover(fault instanceof RelayError ? fault
            : new RelayError("closed", String(fault), { cause: fault }));
        }
      }
    }
  }

  /** @param {RelayError} error */
  async #recover(error) {
    const provided = typeof this.options.token === "function";
    const needsToken = error.kind === "expired" || (error.kind === "refused" && error.isFinal);

    if (needsToken && provided) {
      const mayRenewAtOnce = !this.#renewed;
      this.#renewed = true;
      await this.#renew(error.kind === "expired" ? "expired" : "refused");
      if (mayRenewAtOnce) {
        this.error = error;
        return;
      }
    } else if (needsToken || error.isFinal) {
      this.#end(error);
      return;
    }
    const slowly = needsToken || error.kind === "not-a-relay";
    const retryInMs = error.retryAfterMs ?? this.#backoff.next(slowly);
    this.#say("waiting", error, retryInMs);
    await this.#sleep(retryInMs);
  }

  /**
   * A step that may take so long, unless it says that it has begun, and can be dropped.
   *
   * @template T
   * @param {(signal: AbortSignal, begun: () => void) => Promise<T>} step
   */
  async #limited(step) {
    const limit = new AbortController();
    const timer = setTimeout(
      () => limit.abort(new RelayError("timeout", `no answer within ${ATTEMPT_MS / 1000} s`)),
      ATTEMPT_MS,
    );
    this.#steps.add(limit);
    try {
      return await step(limit.signal, () => clearTimeout(timer));
    } finally {
      clearTimeout(timer);
      this.#steps.delete(limit);
    }
  }

  /** @param {RelayError} error */
  #drop(error) {
    this.#steps.forEach((limit) => limit.abort(error));
  }

  /**
   * One try, from the token to the end of the WebSocket; always ends in an error.
   *
   * @param {AbortSignal} signal @param {() => void} onOpen
   */
  async #attempt(signal, onOpen) {
    this.#token ??= await this.#askForToken("start", signal);
    if (typeof this.options.token === "function" && isExpired(this.#token)) {
      this.#token = await this.#askForToken("expired", signal);
    }
    const uri = await requestUri(this.session, this.#token, signal);
    signal.throwIfAborted();
    await this.#serve(this.#withWishes(uri), signal, onOpen);
  }

  /** @param {"start" | "expired" | "refused"} reason @param {AbortSignal} signal */
  async #askForToken(reason, signal) {
    const { token } = this.options;
    if (typeof token !== "function") {
      return String(token).trim();
    }
    let answer;
    try {
      answer = await Promise.race([token({ signal, reason, previous: this.#token }),
        aborted(signal)]);
    } catch (cause) {
      signal.throwIfAborted();
      const why = cause instanceof Error ? cause.message : cause;
      throw new RelayError("token", `no token could be had: ${why}`, { cause });
    }
    if (typeof answer !== "string" || answer === "") {
      throw new RelayError("token", "no token could be had: the function returned none");
    }
    return answer.trim();
  }

  /** @param {"expired" | "refused"} reason */
  async #renew(reason) {
    try {
      this.#token = await this.#limited((signal) => this.#askForToken(reason, signal));
      return true;
    } catch {
      return false; /* The next attempt fails with the old one, or asks again. */
    }
  }

  /** @param {string} uri */
  #withWishes(uri) {
    const url = new URL(uri);
    for (const [name, value] of Object.entries(this.options.wishes ?? {})) {
      url.searchParams.set(name, String(value));
    }
    return url.href;
  }

  /**
   * @param {string} uri @param {AbortSignal} signal @param {() => void} onOpen
   * @returns {Promise<never>}
   */
  #serve(uri, signal, onOpen) {
    const Socket = this.options.WebSocket ?? globalThis.WebSocket;
    if (!Socket) {
      throw new RelayError("usage", "there is no WebSocket here: give one as an option", {
        isFinal: true,
      });
    }
    const socket = this.#offersV1 ? new Socket(uri, V1) : new Socket(uri);
    const offered = this.#offersV1;
    let openedAt = 0;
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    return new Promise((_, reject) => {
      const finish = (/** @type {unknown} */ error) => {
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.onerror = () => {}; /* in Node, one that is closed too early has to tell it */
        socket.close();
        this.#socket = null;
        this.#v1?.close();
        this.#v1 = null;
        this.isLive = null;
        clearTimeout(this.#renewal);
        this.#watch.quiet();
        if (openedAt && performance.now() - openedAt > SETTLED_MS) {
          this.#renewed = false;
          this.#backoff.reset();
        }
        reject(error);
      };
      signal.addEventListener("abort", () => finish(signal.reason));
      socket.onopen = () => {
        openedAt = performance.now();
        onOpen();
        if (socket.protocol === V1) {
          this.#v1 = this.#makeV1(socket);
        }
        this.#onOpen();
      };
      socket.onmessage = (event) => this.#onMessage(event.data);
      const onClose = (code = 1006, reason = "") => {
        /* Clients refuse a server that does not answer the offer: the next try is without. */
        const wasRefused = offered && !openedAt;
        this.#offersV1 = openedAt ? offered : !offered;
        finish(wasRefused ? null : closeError(code, reason, openedAt > 0));
      };
      /* Of one that was open a close follows, which says more; in Node of no other. */
      socket.onerror = () => openedAt || onClose();
      socket.onclose = ({ code, reason }) => onClose(code, reason);
    });
  }

  #onOpen() {
    this.statistics.opened++;
    this.#say("open", null);
  }

  /** @param {WebSocket} socket */
  #makeV1(socket) {
    return new V1Session((data) => socket.send(data), {
      onLive: (isLive) => {
        this.isLive = isLive;
        this.dispatchEvent(new CustomEvent("live", { detail: isLive }));
      },
      onExpiry: ({ result, expires }) => this.#onExpiry(result, expires * 1000),
    });
  }

  /* The token is replaced while the connection goes on, or else when it has ended. */
  #onExpiry(/** @type {number} */ result, /** @type {number} */ expiresMs) {
    clearTimeout(this.#renewal);
    if (typeof this.options.token !== "function") {
      return;
    }
    if (result === PUT_OFF) {
      /* At random: all that are put off are so at the same time. */
      this.#renewal = setTimeout(() => this.#offerToken(), RENEW_AFTER_MS * (1 + Math.random()));
    } else if (result <= RENEWED) {
      const leftMs = expiresMs - Date.now();
      const soonestMs = result === RENEWED ? RENEW_AGAIN_MS : RENEW_AFTER_MS;
      const dueMs = Math.max(soonestMs, leftMs - Math.min(RENEW_BEFORE_MS, leftMs / 5));
      this.#renewal = setTimeout(() => this.#replaceToken(), Math.min(2 ** 31 - 1, dueMs));
    }
  }

  async #replaceToken() {
    const v1 = this.#v1;
    if (await this.#renew("expired") && v1 === this.#v1) {
      this.#offerToken();
    }
  }

  #offerToken() {
    this.#v1?.renew(/** @type {string} */ (this.#token));
  }

  /** @param {string | ArrayBuffer} message */
  #onMessage(message) {
    this.#watch.heard();
    const taken = this.#v1 && typeof message !== "string" ? this.#v1.take(message)
      : { data: message, envelope: null };
    if (!taken) {
      return;
    }
    const { data, envelope } = taken;
    this.statistics.messages++;
    this.statistics.bytes += typeof data === "string" ? data.length : data.byteLength;
    this.dispatchEvent(Object.assign(new MessageEvent("message", { data }), { envelope }));
  }

  /** @param {boolean} visible */
  #onVisible(visible) {
    this.#isHidden = !visible && this.options.pauseWhenHidden === true;
    if (this.#isHidden) {
      this.#suspend();
    } else if (visible) {
      this.#goOn();
    }
  }

  get #isSuspended() {
    return this.#isPaused || this.#isHidden;
  }

  #suspend() {
    this.#drop(new RelayError("closed", "paused"));
    this.#hurry();
  }

  #goOn() {
    if (!this.#isSuspended) {
      this.#backoff.reset();
      this.#hurry();
    }
  }

  /** The network that the connection was made on may be gone without a word. @param {string} why */
  #reopen(why) {
    this.#backoff.reset();
    this.#drop(new RelayError("closed", why));
    this.#hurry();
  }

  #hurry() {
    this.#wake?.();
  }

  /** @param {number | null} ms null: until it is woken */
  async #sleep(ms) {
    if (this.state === "ended" || (ms !== null && this.#isSuspended)) {
      return;
    }
    await new Promise((resolve) => {
      const timer = ms === null ? undefined : setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
    this.#wake = null;
  }

  /** @param {ConnectionState} state @param {RelayError | null} error @param {number} [retryInMs] */
  #say(state, error, retryInMs) {
    if (this.state === "ended") {
      return;
    }
    this.state = state;
    this.error = error;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, error, retryInMs } }));
  }

  /** @param {RelayError | null} error */
  #end(error) {
    if (this.state === "ended") {
      return;
    }
    this.#say("ended", error);
    this.#watch.stop();
    this.#ending.abort();
    this.#drop(error ?? new RelayError("closed", "closed by the page"));
    this.#hurry();
    this.dispatchEvent(new CustomEvent("end", { detail: error }));
  }
}

/**
 * Connects to a topic of a relay and stays connected.
 *
 * @param {ConnectOptions} options
 */
export function connect(options) {
  return new RelayConnection(options);
}
