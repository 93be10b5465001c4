/* Lines of text, and JSON in them, from a topic's messages; and back. */

const LINE_CHARACTERS_MAX = 1024 * 1024;
const FIELDS_MAX = 16;
const DEPTH_MAX = 8;
const NAME_CHARACTERS_MAX = 64;
const POINTS_MAX = 600;

/**
 * @typedef {object} DataLine
 * @property {string} text
 * @property {unknown} value what its JSON says; undefined where it is none
 * @property {number} at when it came, in milliseconds since 1970
 */

/** @param {string} text */
export function parseLine(text) {
  try {
    return /** @type {unknown} */ (JSON.parse(text));
  } catch {
    return undefined;
  }
}

/**
 * The numbers in a value by their names: {"angle": 3, "motor": {"rpm": 9}} has angle and motor.rpm.
 *
 * @param {unknown} value
 * @returns {Map<string, number>}
 */
export function numbersOf(value, prefix = "", found = new Map(), depth = DEPTH_MAX) {
  if (typeof value === "number" && Number.isFinite(value)) {
    found.set(prefix || "value", value);
  } else if (value && typeof value === "object" && depth > 0) {
    for (const [name, inner] of Object.entries(value)) {
      if (found.size < FIELDS_MAX && name.length <= NAME_CHARACTERS_MAX) {
        numbersOf(inner, prefix ? `${prefix}.${name}` : name, found, depth - 1);
      }
    }
  }
  return found;
}

/**
 * What a topic says: "line" for each line (CustomEvent of DataLine), and the newest value.
 */
export class DataFeed extends EventTarget {
  #rest = "";
  #decoder = new TextDecoder();

  /** @param {import("./connection.js").RelayConnection} connection */
  constructor(connection, { binary = false } = {}) {
    super();
    this.connection = connection;
    this.binary = binary;
    /** @type {DataLine | null} */
    this.newest = null;
    this.count = 0;
    this.onMessage = (/** @type {Event} */ event) =>
      this.#take(/** @type {MessageEvent} */ (event).data);
    this.onState = () => {
      this.#rest = ""; /* of a line goes on in no other connection */
      this.#decoder = new TextDecoder();
    };
    connection.addEventListener("message", this.onMessage);
    connection.addEventListener("state", this.onState);
  }

  close() {
    this.connection.removeEventListener("message", this.onMessage);
    this.connection.removeEventListener("state", this.onState);
  }

  /**
   * Sends a text, or a value as JSON. It is sent now or not at all.
   *
   * @param {unknown} value
   * @returns {boolean}
   */
  send(value) {
    return this.connection.send(typeof value === "string" ? value : JSON.stringify(value));
  }

  /* A message is one or more lines; only in binary ones may a line go on in the next. */
  #take(/** @type {string | ArrayBuffer} */ data) {
    if (typeof data === "string") {
      data.split("\n").forEach((line) => this.#line(line));
    } else if (this.binary) {
      const lines = (this.#rest + this.#decoder.decode(data, { stream: true })).split("\n");
      this.#rest = (lines.pop() ?? "").slice(-LINE_CHARACTERS_MAX);
      lines.forEach((line) => this.#line(line));
    }
  }

  /** @param {string} line */
  #line(line) {
    const text = line.trim();
    if (text === "") {
      return;
    }
    this.count++;
    this.newest = { text, value: parseLine(text), at: Date.now() };
    this.dispatchEvent(new CustomEvent("line", { detail: this.newest }));
  }
}

/** @typedef {{at: number, value: number}} Point */

/** Numbers over time, the last few of each name. */
export class Series {
  /** @param {number} [lastsMs] */
  constructor(lastsMs = 30_000) {
    this.lastsMs = lastsMs;
    /** @type {Map<string, Point[]>} */
    this.lines = new Map();
  }

  /** @param {DataLine} line */
  add({ value, at }) {
    for (const [name, points] of this.lines) {
      if (at - points[points.length - 1].at > this.lastsMs) {
        this.lines.delete(name); /* and makes room for others */
      }
    }
    for (const [name, number] of numbersOf(value)) {
      const points = this.lines.get(name) ?? [];
      if (points.length > 0 || this.lines.size < FIELDS_MAX) {
        this.lines.set(name, points);
        this.#extend(points, { at, value: number });
      }
    }
  }

  /* Of values that come faster than they could be shown, the newest one. */
  #extend(/** @type {Point[]} */ points, /** @type {Point} */ point) {
    const before = points[points.length - 2];
    if (before && point.at - before.at < (2 * this.lastsMs) / POINTS_MAX) {
      points.pop();
    }
    points.push(point);
    while (point.at - points[0].at > this.lastsMs || points.length > POINTS_MAX) {
      points.shift();
    }
  }
}
