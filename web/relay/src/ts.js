/* MPEG transport streams (ISO/IEC 13818-1): messages in, whole PES packets of the first program's
 * video and audio out. Made for live streams: a unit is handed out with its last byte wherever that
 * can be known, not when the next one begins. */

import { join } from "./bytes.js";

const PACKET = 188;
const SYNC = 0x47;
const PID_PAT = 0;
const SECTION_BYTES_MAX = 1024;
const UNIT_PACKETS_MAX = 60_000; /* 10 MiB, if they are full; each one keeps its message */
const ALIGNED_MESSAGES = 2; /* then the end of a message is that of its picture */
const TICKS = 2 ** 33; /* of time stamps, at 90 kHz */

/** Codecs by stream_type, as players name them. @type {Record<number, string>} */
const CODECS = {
  0x01: "mpeg", /* MPEG-1 or MPEG-2: senders use either number for both */
  0x02: "mpeg",
  0x1b: "h264",
  0x24: "h265",
  0x03: "mp2",
  0x04: "mp2",
  0x0f: "aac",
};
const VIDEO = ["mpeg", "h264", "h265"];

/**
 * @typedef {{pid: number, codec: string}} Track
 * @typedef {{video: Track | null, audio: Track | null, others: number[]}} Program
 * @typedef {object} Unit
 * @property {"video" | "audio"} kind
 * @property {string} codec
 * @property {Uint8Array} data the payload of one PES packet
 * @property {number} pts microseconds; they do not wrap
 * @property {number} dts
 * @property {boolean} randomAccess
 * @property {boolean} afterGap bytes before it are missing
 */

/** A PES packet that is being collected. */
class Assembly {
  counter = -1;
  gap = false;
  last = NaN; /* time stamp, to unwrap the next one */
  /** @type {Uint8Array[]} */
  pieces = [];
  bytes = 0;
  expected = 0; /* 0: unknown */
  open = false;
  randomAccess = false;

  /** @param {Unit["kind"]} kind @param {Track} track */
  constructor(kind, track) {
    this.kind = kind;
    this.codec = track.codec;
  }

  clear() {
    this.pieces = [];
    this.bytes = this.expected = 0;
    this.open = false;
    this.randomAccess = false;
  }
}

/** @param {Uint8Array} bytes @param {number} at */
function stamp(bytes, at) {
  const [a, b, c, d, e] = bytes.subarray(at, at + 5);
  return ((a >> 1) & 7) * 2 ** 30 + (b << 22) + ((c >> 1) << 15) + (d << 7) + (e >> 1);
}

export class TsDemuxer {
  #rest = new Uint8Array(0);
  #pmtPid = -1;
  /** @type {Map<number, Assembly>} */
  #tracks = new Map();
  /** @type {Map<number, Uint8Array>} */
  #sections = new Map();
  #programKey = "";
  #tablesOnly;
  #onProgram;
  #onUnit;
  #aligned = 0; /* messages in a row that begin with tables or a unit */
  gaps = 0; /* where bytes are missing */

  /**
   * @param {{onProgram?: (program: Program) => void, onUnit?: (unit: Unit) => void,
   *   tablesOnly?: boolean}} [options]
   */
  constructor({ onProgram = () => {}, onUnit = () => {}, tablesOnly = false } = {}) {
    this.#tablesOnly = tablesOnly;
    this.#onProgram = onProgram;
    this.#onUnit = onUnit;
  }

  /** What comes next has nothing to do with what came before. */
  reset() {
    this.#rest = new Uint8Array(0);
    this.#pmtPid = -1;
    this.#tracks.clear();
    this.#sections.clear();
    this.#programKey = "";
    this.#aligned = 0;
  }

  /** One message, cut anywhere. @param {Uint8Array} message */
  push(message) {
    /* Tables, or a unit, begin with it: so the message before ended with a whole one. */
    const starts = this.#rest.length === 0 && message[0] === SYNC && (message[1] & 0x40) !== 0;
    if (this.#rest.length > 0) {
      message = join([this.#rest, message]);
    }
    let at = 0;
    while (at + PACKET <= message.length) {
      const next = at + PACKET;
      if (message[at] === SYNC && (next >= message.length || message[next] === SYNC)) {
        this.#packet(message.subarray(at, next));
        at = next;
      } else {
        at++;
      }
    }
    this.#rest = message.slice(at);
    this.#aligned = starts ? this.#aligned + 1 : 0;
    if (this.#aligned >= ALIGNED_MESSAGES && this.#rest.length === 0) {
      this.#tracks.forEach((track) => this.#finish(track));
    }
  }

  /** @param {Uint8Array} packet */
  #packet(packet) {
    const pid = ((packet[1] & 0x1f) << 8) | packet[2];
    const control = (packet[3] >> 4) & 3;
    const fieldBytes = control & 2 ? 1 + packet[4] : 0;
    const flags = fieldBytes > 1 ? packet[5] : 0;

    if (packet[1] & 0x80 || control === 0 || 4 + fieldBytes > PACKET) {
      return;
    }
    const payload = packet.subarray(4 + fieldBytes);
    const starts = (packet[1] & 0x40) !== 0;
    const track = this.#tracks.get(pid);
    if (track) {
      this.#continue(track, packet, flags, control);
      if (control & 1) {
        this.#collect(track, payload, starts, (flags & 0x40) !== 0);
        /* Senders fill the last packet of a unit up with 0xff. */
        if (fieldBytes === 1 || (fieldBytes > 2 && packet[3 + fieldBytes] === 0xff && !starts)) {
          this.#finish(track);
        }
      }
    } else if (control & 1 && (pid === PID_PAT || pid === this.#pmtPid)) {
      this.#section(pid, payload, starts);
    }
  }

  /** @param {Assembly} track @param {Uint8Array} packet @param {number} flags
   * @param {number} control */
  #continue(track, packet, flags, control) {
    const counter = packet[3] & 15;
    const expected = control & 1 ? (track.counter + 1) & 15 : track.counter;
    if (flags & 0x80) {
      this.#finish(track); /* a relay cuts where units are whole */
    } else if (track.counter >= 0 && counter !== expected) {
      this.gaps++;
      track.gap = true;
      track.clear();
    }
    track.counter = counter;
  }

  /** @param {Assembly} track @param {Uint8Array} payload @param {boolean} starts
   * @param {boolean} randomAccess */
  #collect(track, payload, starts, randomAccess) {
    if (starts) {
      this.#finish(track);
      if (payload.length < 9 || payload[0] !== 0 || payload[1] !== 0 || payload[2] !== 1) {
        return;
      }
      track.open = true;
      track.randomAccess = randomAccess;
      const length = (payload[4] << 8) | payload[5];
      track.expected = length > 0 ? length + 6 : 0;
    }
    if (!track.open) {
      return;
    }
    track.pieces.push(payload);
    track.bytes += payload.length;
    if (track.pieces.length > UNIT_PACKETS_MAX) {
      track.clear();
    } else if (track.expected > 0 && track.bytes >= track.expected) {
      this.#finish(track);
    }
  }

  /** @param {Assembly} track */
  #finish(track) {
    if (!track.open) {
      return;
    }
    const whole = join(track.pieces);
    const bytes = track.expected > 0 ? whole.subarray(0, track.expected) : whole;
    const isShort = bytes.length < track.expected;
    const { randomAccess } = track;
    track.clear();
    const begin = 9 + bytes[8];
    if (isShort || begin > bytes.length || (bytes[6] & 0xc0) !== 0x80) {
      track.gap = true;
      return;
    }
    const hasPts = (bytes[7] & 0x80) !== 0 && bytes[8] >= 5;
    const hasDts = (bytes[7] & 0x40) !== 0 && bytes[8] >= 10;
    const dts = hasPts ? this.#unwrap(track, stamp(bytes, hasDts ? 14 : 9)) : track.last;
    const pts = hasDts ? dts + ((stamp(bytes, 9) - stamp(bytes, 14) + TICKS) % TICKS) : dts;
    const [afterGap, { kind, codec }] = [track.gap, track];
    const [ptsUs, dtsUs] = [pts, dts].map((ticks) => Math.round((ticks || 0) / 0.09));
    track.gap = false;
    const data = bytes.subarray(begin);
    this.#onUnit({ kind, codec, data, pts: ptsUs, dts: dtsUs, randomAccess, afterGap });
  }

  /** @param {Assembly} track @param {number} ticks */
  #unwrap(track, ticks) {
    if (!Number.isNaN(track.last)) {
      ticks += Math.round((track.last - ticks) / TICKS) * TICKS;
    }
    track.last = ticks;
    return ticks;
  }

  /** @param {number} pid @param {Uint8Array} payload @param {boolean} starts */
  #section(pid, payload, starts) {
    const before = this.#sections.get(pid);
    const piece = starts ? payload.subarray(1 + (payload[0] ?? 0)) : payload;
    if (!starts && !before) {
      return;
    }
    const section = starts || !before ? piece : join([before, piece]);
    const bytes = section.length < 3 ? Infinity : 3 + (((section[1] & 15) << 8) | section[2]);
    this.#sections.delete(pid);
    if (section.length >= bytes) {
      this.#table(pid, section.subarray(0, bytes - 4));
    } else if (section.length < SECTION_BYTES_MAX) {
      this.#sections.set(pid, section.slice());
    }
  }

  /** Without its checksum. @param {number} pid @param {Uint8Array} table */
  #table(pid, table) {
    if (pid === PID_PAT && table[0] === 0) {
      for (let at = 8; at + 4 <= table.length; at += 4) {
        if (table[at] | table[at + 1]) {
          this.#pmtPid = ((table[at + 2] & 0x1f) << 8) | table[at + 3];
          return;
        }
      }
    } else if (pid === this.#pmtPid && table[0] === 2 && table.length >= 12) {
      this.#program(table);
    }
  }

  /** @param {Uint8Array} table */
  #program(table) {
    /** @type {Program} */
    const program = { video: null, audio: null, others: [] };
    let at = 12 + (((table[10] & 15) << 8) | table[11]);
    for (; at + 5 <= table.length; at += 5 + (((table[at + 3] & 15) << 8) | table[at + 4])) {
      const codec = CODECS[table[at]];
      const pid = ((table[at + 1] & 0x1f) << 8) | table[at + 2];
      const kind = VIDEO.includes(codec) ? "video" : "audio";
      if (codec && !program[kind]) {
        program[kind] = { pid, codec };
      } else {
        program.others.push(table[at]);
      }
    }
    const key = JSON.stringify(program);
    if (key !== this.#programKey) {
      this.#programKey = key;
      this.#tracks.clear();
      for (const kind of /** @type {const} */ (["video", "audio"])) {
        const track = program[kind];
        if (track && !this.#tablesOnly) {
          this.#tracks.set(track.pid, new Assembly(kind, track));
        }
      }
      this.#onProgram(program);
    }
  }
}
