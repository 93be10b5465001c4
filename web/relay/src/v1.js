/* The subprotocol relay.v1 (docs/protocol.md): each message behind an envelope with its times, and
 * control messages beside them. Times are microseconds; those of the relay's clock are told apart
 * from this machine's by an exchange of both. */

export const V1 = "relay.v1";

const ENVELOPE = 32;
const CONTROL = 0x40;
const KEY_PICTURE = 0x41;
const LIVE = 0x42;
const CLOCK_REQUEST = 0x43;
const CLOCK_ANSWER = 0x44;
const REPORT = 0x45;
const TOKEN = 0x47;
const EXPIRY = 0x48;
const CLOCK_EVERY_MS = 10_000;
const REPORT_EVERY_MS = 1000;
const KEY_PICTURE_EVERY_MS = 1000;
const EXCHANGES = 8;
const TEXT = 1;
const PICTURES = [2, 3, 4, 5]; /* kinds */
const VIEWER_ASKS = 3;

/**
 * @typedef {object} Envelope
 * @property {number} kind
 * @property {number} flags
 * @property {number} source
 * @property {number} sequence
 * @property {number} sent
 * @property {number} received
 * @property {number} forwarded
 * @property {number} arrived by the relay's clock; 0 until that is known
 *
 * @typedef {{result: number, expires: number}} Expiry
 */

/** @param {DataView} view @param {number} at */
const get64 = (view, at) => Number(view.getBigUint64(at));

/** @param {DataView} view @param {number} at @param {number} value */
const set64 = (view, at, value) => view.setBigInt64(at, BigInt(value));

const nowUs = () => Math.round((performance.timeOrigin + performance.now()) * 1000);

export class V1Session {
  #send;
  #handlers;
  #timer;
  #sequence = 0;
  /** @type {{roundTrip: number, offset: number}[]} */
  #exchanges = [];
  /** @type {Envelope | null} of the newest picture */
  #picture = null;
  #reportedAt = -Infinity;
  #askedAt = -Infinity;

  /**
   * @param {(data: Blob | ArrayBuffer) => void} send
   * @param {{onExpiry: (expiry: Expiry) => void, onLive: (isLive: boolean) => void}} handlers
   */
  constructor(send, handlers) {
    this.#send = send;
    this.#handlers = handlers;
    this.#timer = setInterval(() => this.#askClock(), CLOCK_EVERY_MS);
    this.#askClock();
  }

  close() {
    clearInterval(this.#timer);
  }

  /** A message in its envelope. @param {string | BlobPart} data */
  wrap(data) {
    const view = new DataView(new ArrayBuffer(ENVELOPE));
    view.setUint8(1, typeof data === "string" ? TEXT : 0);
    view.setUint32(4, this.#sequence++);
    set64(view, 8, this.#relayNow());
    return new Blob([view, data]);
  }

  /**
   * What a message brings: a payload, or null.
   *
   * @param {ArrayBuffer} message
   * @returns {{data: string | ArrayBuffer, envelope: Envelope} | null}
   */
  take(message) {
    const view = new DataView(message);
    const kind = message.byteLength > 3 ? view.getUint8(0) : CONTROL;
    if (kind >= CONTROL) {
      this.#control(kind, view);
      return null;
    }
    if (message.byteLength < ENVELOPE) {
      return null;
    }
    const envelope = {
      kind, flags: view.getUint8(1), source: view.getUint16(2), sequence: view.getUint32(4),
      sent: get64(view, 8), received: get64(view, 16), forwarded: get64(view, 24),
      arrived: this.#relayNow(),
    };
    if (PICTURES.includes(kind)) {
      this.#picture = envelope;
    }
    const payload = message.slice(ENVELOPE);
    return { envelope,
      data: envelope.flags & TEXT ? new TextDecoder().decode(payload) : payload };
  }

  /** The round trip to the relay, in microseconds; 0 until it is known. */
  get roundTrip() {
    return this.#best?.roundTrip ?? 0;
  }

  /** Where the time of the newest picture went, in milliseconds, up to the screen. */
  latency() {
    const { sent = 0, received = 0, forwarded = 0, arrived = 0 } = this.#picture ?? {};
    const stamps = [sent, received, forwarded, arrived, this.#relayNow()];
    const names = ["to the relay", "in the relay", "to the page", "to the screen"];
    /** @type {Record<string, number>} */
    const hops = {};
    names.forEach((name, index) => {
      if (stamps[index] && stamps[index + 1]) {
        /* Clocks agree to half of the round trip: short hops may seem to end before they began. */
        hops[name] = Math.max(0, stamps[index + 1] - stamps[index]) / 1000;
      }
    });
    return this.#picture ? hops : null;
  }

  /** Tells the relay, once a second, how its messages fare. @param {{dropped: number}} player */
  report({ dropped }) {
    const picture = this.#picture;
    const now = performance.now();
    if (!picture || now - this.#reportedAt < REPORT_EVERY_MS) {
      return;
    }
    this.#reportedAt = now;
    const view = this.#make(REPORT, 0, 48);
    [picture.sent, picture.forwarded, picture.arrived, this.#relayNow()].forEach((time, index) =>
      set64(view, 4 + 8 * index, time));
    view.setUint32(40, dropped);
    view.setUint32(44, Math.min(this.roundTrip, 2 ** 32 - 1));
    this.#send(view.buffer);
  }

  /** Once a second at most: one serves for all that is missing. */
  askForKeyPicture() {
    const now = performance.now();
    if (now - this.#askedAt < KEY_PICTURE_EVERY_MS) {
      return;
    }
    this.#askedAt = now;
    this.#send(this.#make(KEY_PICTURE, VIEWER_ASKS, 4).buffer);
  }

  /** @param {string} token */
  renew(token) {
    this.#send(new Blob([this.#make(TOKEN, 0, 4), token]));
  }

  /** @param {number} kind @param {number} code @param {number} bytes */
  #make(kind, code, bytes) {
    const view = new DataView(new ArrayBuffer(bytes));
    view.setUint8(0, kind);
    view.setUint8(1, code);
    return view;
  }

  /** @param {number} kind @param {DataView} view */
  #control(kind, view) {
    if (kind === CLOCK_ANSWER && view.byteLength >= 28) {
      const [asked, arrived, answered] = [4, 12, 20].map((at) => get64(view, at));
      const returned = nowUs();
      this.#exchanges.push({
        roundTrip: Math.max(0, returned - asked - (answered - arrived)),
        offset: (arrived - asked + (answered - returned)) / 2,
      });
      this.#exchanges.splice(0, this.#exchanges.length - EXCHANGES);
    } else if (kind === LIVE && view.byteLength >= 8) {
      this.#handlers.onLive(view.getUint8(1) === 1);
    } else if (kind === EXPIRY && view.byteLength >= 12) {
      this.#handlers.onExpiry({ result: view.getUint8(1), expires: get64(view, 4) });
    }
  }

  /** What was found out before is not so any more: clocks stand still while a machine sleeps. */
  askClockAnew() {
    this.#exchanges = [];
    this.#askClock();
  }

  #askClock() {
    const view = this.#make(CLOCK_REQUEST, 0, 12);
    set64(view, 4, nowUs());
    this.#send(view.buffer);
  }

  get #best() {
    return this.#exchanges.reduce((best, each) =>
      !best || each.roundTrip < best.roundTrip ? each : best,
    /** @type {{roundTrip: number, offset: number} | null} */ (null));
  }

  #relayNow() {
    const best = this.#best;
    return best ? Math.round(nowUs() + best.offset) : 0;
  }
}
