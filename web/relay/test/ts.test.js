/* The demuxer: streams of ffmpeg, the server's own fuzz corpus, and both damaged. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { join as joinBytes } from "../src/bytes.js";
import { TsDemuxer } from "../src/ts.js";

const PACKET = 188;
const corpus = join(dirname(fileURLToPath(import.meta.url)), "../../../fuzz/corpus");
const UNIT_PACKETS_MAX = 60_000;

/** Numbers that look random and are the same in each run. @param {number} seed */
function dice(seed) {
  return (/** @type {number} */ below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
}

/** @param {Iterable<Uint8Array>} messages */
function demux(messages) {
  /** @type {import("../src/ts.js").Unit[]} */
  const units = [];
  /** @type {import("../src/ts.js").Program[]} */
  const programs = [];
  const demuxer = new TsDemuxer({
    onUnit: (unit) => units.push(unit),
    onProgram: (program) => programs.push(program),
  });
  for (const message of messages) {
    demuxer.push(message);
  }
  return { units, programs, demuxer };
}

/** @param {Uint8Array} bytes @param {(below: number) => number} roll */
function* pieces(bytes, roll, most = 5000) {
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + roll(most);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

function* seeds() {
  for (const folder of readdirSync(corpus)) {
    if (/^(mpegts|stream_probe|video_probe|splice|jpeg)/.test(folder)) {
      for (const name of readdirSync(join(corpus, folder))) {
        const path = join(corpus, folder, name);
        if (statSync(path).isFile()) {
          yield { name: `${folder}/${name}`, bytes: new Uint8Array(readFileSync(path)) };
        }
      }
    }
  }
}

/** @param {string[]} encoder */
function encode(...encoder) {
  const done = spawnSync("ffmpeg", ["-v", "error", "-f", "lavfi", "-i",
    "testsrc2=size=320x180:rate=25:duration=4", "-f", "lavfi", "-i", "sine=duration=4",
    ...encoder, "-pix_fmt", "yuv420p", "-f", "mpegts", "-"], { maxBuffer: 2 ** 26 });
  return done.status === 0 ? new Uint8Array(done.stdout) : null;
}

const x264 = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25"];
const streams = [
  { name: "h264 and aac", codecs: ["h264", "aac"], bytes: encode(...x264, "-c:a", "aac") },
  { name: "mpeg1 and mp2", codecs: ["mpeg", "mp2"],
    bytes: encode("-c:v", "mpeg1video", "-c:a", "mp2") },
  { name: "h264 alone, B pictures", codecs: ["h264"],
    bytes: encode("-c:v", "libx264", "-bf", "2", "-g", "50", "-map", "0:v") },
];

/** @param {string} name */
const reason = (name) => `ffmpeg cannot make ${name} here`;

for (const { name, codecs, bytes } of streams) {
  test(`every picture of ${name} comes out, cut anywhere`, (context) => {
    if (!bytes) {
      context.skip(reason(name));
      return;
    }
    const roll = dice(7);
    for (const messages of [[bytes], [...pieces(bytes, roll)], [...pieces(bytes, roll, 187)]]) {
      const { units, programs, demuxer } = demux(messages);
      const video = units.filter(({ kind }) => kind === "video");
      assert.equal(programs.length, 1);
      const { video: picture, audio } = programs[0];
      assert.deepEqual([picture?.codec, audio?.codec].filter(Boolean), codecs);
      assert.ok(video.length >= 99, `${video.length} of 100 pictures`);
      assert.equal(video[0].randomAccess, true);
      assert.deepEqual(demuxer.gaps, 0);
      video.slice(1).forEach((unit, index) => assert.equal(unit.dts - video[index].dts, 40_000));
      video.forEach(({ pts, dts }) => assert.ok(pts >= dts && pts - dts < 200_000));
    }
  });
}

test("a picture comes out with the message that ends it, when messages are pictures", (context) => {
  const bytes = streams[2].bytes;
  if (!bytes) {
    context.skip(reason(streams[2].name));
    return;
  }
  /** @type {number[]} */
  const starts = [];
  for (let at = 0; at < bytes.length; at += PACKET) {
    if (bytes[at + 1] === 0x40 || bytes[at + 1] === 0x41) {
      const isVideo = (((bytes[at + 1] & 31) << 8) | bytes[at + 2]) === 256;
      if (isVideo) {
        starts.push(at);
      }
    }
  }
  /** @type {number[]} */
  const counts = [];
  const demuxer = new TsDemuxer({ onUnit: () => counts[counts.length - 1]++ });
  starts.forEach((at, index) => {
    counts.push(0);
    demuxer.push(bytes.subarray(index === 0 ? 0 : at, starts[index + 1]));
  });
  assert.ok(counts.slice(3).every((count) => count === 1), counts.join(" "));
});

/** A packet of the video, or of the tables. @param {number[]} head */
function packetOf(...head) {
  const bytes = new Uint8Array(PACKET).fill(0xff);
  bytes.set(head);
  return bytes;
}

const PAT = packetOf(0x47, 0x40, 0, 0x10, 0, 0, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xe0, 0x20);
const PMT = packetOf(0x47, 0x40, 0x20, 0x10, 0, 2, 0xb0, 18, 0, 1, 0xc1, 0, 0, 0xe1, 0, 0xf0, 0,
  0x1b, 0xe1, 0, 0xf0, 0);

test("a unit without an end is given up, whatever little is in its packets", () => {
  const begin = (/** @type {number} */ counter) => packetOf(0x47, 0x41, 0, 0x10 | counter, 0, 0, 1,
    0xe0, 0, 0, 0x80, 0x80, 5, 0x21, 0, 1, 0, 1);
  for (const [count, expected] of [[UNIT_PACKETS_MAX - 2, 3], [UNIT_PACKETS_MAX + 2, 2]]) {
    /** @type {import("../src/ts.js").Unit[]} */
    const units = [];
    const demuxer = new TsDemuxer({ onUnit: (unit) => units.push(unit) });
    demuxer.push(joinBytes([PAT, PMT, begin(0)]));
    for (let at = 1; at <= count; at++) { /* one byte in each, behind stuffing that is not 0xff */
      demuxer.push(packetOf(0x47, 0x01, 0, 0x30 | (at & 15), 182, ...new Array(182).fill(0)));
    }
    demuxer.push(begin((count + 1) & 15));
    demuxer.push(begin((count + 2) & 15));
    assert.equal(units.length, expected);
  }
});

test("time stamps go on where they wrap", () => {
  const packet = (/** @type {number} */ ticks, /** @type {number} */ counter) => {
    const bytes = new Uint8Array(PACKET).fill(0xff);
    const pts = [0x21 | (Math.floor(ticks / 2 ** 30) << 1), (ticks / 2 ** 22) & 255,
      (Math.floor(ticks / 2 ** 14) & 254) | 1, (ticks / 2 ** 7) & 255, ((ticks * 2) & 254) | 1];
    bytes.set([0x47, 0x41, 0x00, 0x10 | counter, 0, 0, 1, 0xe0, 0, 12, 0x80, 0x80, 5, ...pts, 1, 2,
      3, 4]);
    return bytes;
  };
  const end = 2 ** 33;
  const { units } = demux([PAT, PMT, packet(end - 3600, 0), packet(0, 1), packet(3600, 2)]);
  assert.deepEqual(units.map(({ pts }) => pts - units[0].pts), [0, 40_000, 80_000]);
  assert.deepEqual([...units[0].data], [1, 2, 3, 4]);
});

test("a gap is told with the next picture, and what is cut off is not handed out", (context) => {
  const bytes = streams[2].bytes;
  if (!bytes) {
    context.skip(reason(streams[2].name));
    return;
  }
  const lost = 60 * PACKET;
  const { units, demuxer } = demux([bytes.subarray(0, lost), bytes.subarray(lost + 3 * PACKET)]);
  assert.ok(demuxer.gaps > 0);
  assert.equal(units.filter(({ afterGap }) => afterGap).length, 1);
});

test("the server's seeds, whole, in pieces and damaged, are taken without a fault", () => {
  const roll = dice(3);
  let count = 0;
  for (const { name, bytes } of seeds()) {
    count++;
    for (let round = 0; round < 60; round++) {
      const damaged = bytes.slice(0, round % 3 ? bytes.length : roll(bytes.length + 1));
      for (let flips = round === 0 ? 0 : roll(8); flips > 0 && damaged.length > 0; flips--) {
        damaged[roll(damaged.length)] ^= 1 << roll(8);
      }
      const whole = demux([damaged]);
      for (const unit of whole.units) {
        assert.ok(unit.data.length <= damaged.length, name);
        assert.ok(Number.isFinite(unit.pts) && Number.isFinite(unit.dts), name);
      }
      demux(pieces(damaged, roll, 400));
    }
  }
  assert.ok(count > 10, `${count} seeds`);
});
