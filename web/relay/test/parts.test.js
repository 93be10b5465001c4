/* The parts that need no server: pauses, tokens, URLs, lines of data, pieces of H.264. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { sessionUrl, snapshotUrl } from "../src/access.js";
import { Backoff } from "../src/backoff.js";
import { Backlog } from "../src/bytes.js";
import { DataFeed, numbersOf, Series } from "../src/data.js";
import { codecOf, inspect, nalUnits, withParameterSets } from "../src/h264.js";
import { isMpeg2, skipToKey } from "../src/player-jsmpeg.js";
import { allows, isExpired, readClaims } from "../src/token.js";
import { V1Session } from "../src/v1.js";

test("pauses grow to a second, and to ten after a minute, and are never the same", () => {
  let now = 0;
  for (const [random, share] of [[0, 0.5], [1, 1]]) {
    const backoff = new Backoff({ now: () => now, random: () => random });
    const pauses = [1, 2, 3, 4, 5].map(() => backoff.next());
    assert.deepEqual(pauses, [200, 400, 800, 1000, 1000].map((ms) => ms * share));
    now += 61_000;
    assert.equal(backoff.next(), 6400 * share);
    assert.equal(backoff.next(), 10_000 * share);
    assert.equal(backoff.next(true), 10_000 * share);
    backoff.reset();
    assert.equal(backoff.next(), 200 * share);
  }
});

test("claims are read from tokens and from nothing else", () => {
  const claims = { topic: "grüße", scopes: ["read"], exp: 100 };
  const token = `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`;
  assert.deepEqual(readClaims(token), claims);
  assert.equal(allows(token, "read"), true);
  assert.equal(allows(token, "write"), false);
  assert.equal(isExpired(token, 99_999), false);
  assert.equal(isExpired(token, 100_000), true);
  for (const text of ["", "a", "a.b", "a.!!.c", "a.bnVsbA.c", "..", "a.e30.c"]) {
    assert.deepEqual(readClaims(text), {});
    assert.equal(isExpired(text), false);
  }
});

test("a session's URL is taken as it is, or made of access URL and topic", () => {
  const cases = [
    ["https://a.example", "t", "https://a.example/session/t"],
    ["https://a.example/ed0/access/", "a b/c", "https://a.example/ed0/access/session/a%20b%2Fc"],
    ["https://a.example/session/t#x", undefined, "https://a.example/session/t"],
    ["https://a.example/x/session/t", "other", "https://a.example/x/session/t"],
  ];
  for (const [access, topic, expected] of cases) {
    assert.equal(sessionUrl(/** @type {string} */ (access), topic), expected);
  }
  assert.equal(snapshotUrl("https://a.example/x/session/a%2Fb"),
    "https://a.example/x/snapshot/a%2Fb");
  assert.equal(snapshotUrl("https://a.example/session/x/session/t?a=/session/b"),
    "https://a.example/session/x/snapshot/t?a=/session/b");
});

test("lines are lines of text, and of binary messages if asked for, wherever they are cut", () => {
  const connection = /** @type {any} */ (new EventTarget());
  connection.send = () => true;
  const say = (/** @type {unknown} */ data) =>
    connection.dispatchEvent(new MessageEvent("message", { data }));
  /** @type {string[]} */
  const lines = [];
  const feed = new DataFeed(connection, { binary: true });
  feed.addEventListener("line", (event) =>
    lines.push(/** @type {CustomEvent} */ (event).detail.text));
  say('{"a":1}\n\n  \n{"a":2}\n');
  const bytes = new TextEncoder().encode("grüße\nund");
  say(bytes.slice(0, 3).buffer);
  say(bytes.slice(3).buffer);
  assert.deepEqual(lines, ['{"a":1}', '{"a":2}', "grüße"]);
  assert.equal(feed.count, 3);
  assert.deepEqual(feed.newest?.value, undefined);
  connection.dispatchEvent(new Event("state"));
  say(new TextEncoder().encode("whole\n").buffer);
  assert.equal(lines.pop(), "whole", "a line does not go on in another connection");
  feed.close();
  say("more");
  assert.equal(lines.length, 3);
});

test("numbers have the names of their places, and there is a bound on them", () => {
  const value = { angle: 3, motor: { rpm: 9, on: true }, list: [1, "x"], none: null, bad: NaN };
  assert.deepEqual([...numbersOf(value)], [["angle", 3], ["motor.rpm", 9], ["list.0", 1]]);
  assert.deepEqual([...numbersOf(7)], [["value", 7]]);
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`n${index}`, index]));
  assert.equal(numbersOf(many).size, 16);
  const series = new Series(1000);
  for (let at = 0; at < 5000; at++) {
    series.add({ text: "", value: { a: at, [`n${at}`]: 1 }, at });
  }
  assert.ok(series.lines.size <= 16);
  assert.ok((series.lines.get("a")?.length ?? 0) <= 600);
});

test("a chart's numbers may come fast, change their names and lie deep", () => {
  const series = new Series(1000);
  for (let at = 0; at < 3000; at++) {
    series.add({ text: "", value: { a: at }, at });
  }
  const points = series.lines.get("a") ?? [];
  assert.equal(points[points.length - 1].value, 2999);
  assert.ok(points[0].at < 2050, "the whole of the last second");
  for (let at = 0; at < 20; at++) {
    series.add({ text: "", value: { [`old${at}`]: at }, at: 3000 });
  }
  assert.equal(series.lines.size, 16);
  series.add({ text: "", value: { fresh: 1 }, at: 9000 });
  assert.deepEqual([...series.lines.keys()], ["fresh"]);

  const deep = JSON.parse(`${"[".repeat(100_000)}1${"]".repeat(100_000)}`);
  assert.equal(numbersOf(deep).size, 0);
  assert.equal(numbersOf({ ["x".repeat(1000)]: 1, y: 2 }).size, 1);
});

test("a backlog keeps what came last, within its bounds", () => {
  const backlog = new Backlog(10, 3);
  assert.equal(backlog.push(new Uint8Array(6)), true);
  assert.equal(backlog.push("1234"), true);
  assert.equal(backlog.push("5"), false, "11 bytes");
  assert.equal(backlog.length, 2);
  backlog.push("6");
  assert.equal(backlog.push("7"), false, "4 items");
  assert.equal(backlog.first(), "5");
  assert.equal(backlog.shift(), "5");
  assert.deepEqual(backlog.take(), ["6", "7"]);
  assert.equal(backlog.push("0123456789"), true, "nothing of them counts any more");
  assert.equal(backlog.push(new Uint8Array(11)), false);
  assert.deepEqual(backlog.take(), []);
});

test("MPEG-2 is told from MPEG-1 by its extension", () => {
  const header = [0, 0, 1, 0xb3, 20, 0, 16, 0x13];
  assert.equal(isMpeg2(new Uint8Array([...header, 0, 0, 1, 0xb5])), true);
  assert.equal(isMpeg2(new Uint8Array([...header, 0, 0, 1, 0xb8])), false);
  for (const bytes of [[], header, [0, 0, 1, 0xb8, 0, 0, 1, 0xb5]]) {
    assert.equal(isMpeg2(new Uint8Array(bytes)), undefined);
  }
});

test("of MPEG-1 that waits, what lies before the newest key picture is skipped", () => {
  const code = (/** @type {number} */ byte) => [0, 0, 1, byte, 9];
  const [key, other] = [[...code(0xb3), ...code(0xb8), ...code(0)], code(0)];
  const cases = [
    [[...other, ...other], 0, 0, 0],
    [[...key, ...other], 0, 0, 0],
    [[...other, ...key, ...other], 0, 5, 1],
    [[7, 0, ...other, ...key, ...other, ...key], 0, 27, 3],
    [[...key, ...key, ...other], 20, 15, 1], /* what was read is not counted */
    [[...key, ...other, 0, 0, 1], 8, 0, 0],
    [[], 0, 0, 0],
  ];
  for (const [waiting, index, at, skipped] of /** @type {any[]} */ (cases)) {
    const unread = { bytes: new Uint8Array([...waiting, 0, 0, 1, 0xb3]), byteLength: waiting.length,
      index };
    assert.equal(skipToKey(unread), skipped, `${waiting}`);
    assert.equal(unread.index, at * 8 || index, `${waiting}`);
  }
});

/** What docs/protocol.md shows of relay.v1: fields and bytes. @param {string} name */
function example(name) {
  const here = dirname(fileURLToPath(import.meta.url));
  const page = readFileSync(join(here, "../../../docs/protocol.md"), "utf8");
  const found = page.match(new RegExp(`^${name} (.*)\n((?:[0-9a-f]{2}[ \n])+)`, "m"));
  const [, fields, hex] = found ?? ["", "", ""];
  const bytes = Uint8Array.from(hex.trim().split(/\s+/), (byte) => parseInt(byte, 16));
  return { bytes, fields: Object.fromEntries(fields.split(" ").map((each) => each.split("="))) };
}

test("relay.v1 is as the protocol's page shows it", async () => {
  /** @type {any[]} */
  const sent = [];
  /** @type {unknown[]} */
  const said = [];
  const session = new V1Session((data) => sent.push(data), {
    onExpiry: (expiry) => said.push(expiry), onLive: (isLive) => said.push(isLive) });
  const picture = example("envelope");
  const envelope = /** @type {any} */ (session.take(picture.bytes.buffer)?.envelope);
  for (const name of ["kind", "flags", "source", "sequence", "sent", "received", "forwarded"]) {
    assert.equal(envelope[name], Number(picture.fields[name]), name);
  }
  assert.equal(session.take(example("expiry").bytes.buffer), null);
  assert.equal(session.take(example("live").bytes.buffer), null);
  assert.deepEqual(said, [{ result: 1, expires: 1770003600 }, true]);
  const { bytes, fields } = example("token");
  session.renew(fields.token);
  assert.deepEqual(new Uint8Array(await sent.at(-1).arrayBuffer()), bytes);
  for (const length of [0, 1, 3, 4, 20, 31]) {
    assert.equal(session.take(new Uint8Array(length).buffer), null, "too short to be one");
  }
  session.close();
});

test("access units are told apart by what is in them", () => {
  const sps = [0x67, 0x42, 0xc0, 0x1e, 9];
  const [pps, idr, slice, sei] = [[0x68, 1], [0x65, 2], [0x41, 3], [0x06, 6, 1]];
  const unit = (/** @type {number[][]} */ ...nals) =>
    new Uint8Array(nals.flatMap((nal, index) => [...(index % 2 ? [] : [0]), 0, 0, 1, ...nal]));
  assert.deepEqual(nalUnits(unit(sps, pps, idr)).map((nal) => nal[0]), [0x67, 0x68, 0x65]);
  assert.equal(inspect(unit(sps, pps, idr)).isKey, true);
  assert.equal(inspect(unit(slice)).isKey, false);
  assert.equal(inspect(unit(sei, slice)).isKey, true);
  assert.equal(inspect(unit(sps, pps)).isEmpty, true);
  assert.equal(codecOf(new Uint8Array(sps)), "avc1.42c01e");
  assert.equal(codecOf(new Uint8Array([0x67])), "");
  for (const bytes of [[], [0], [0, 0, 1], [0, 0, 1, 0, 0, 1], [0, 0, 0, 0, 1]]) {
    assert.equal(inspect(new Uint8Array(bytes)).isKey, false);
  }
  const whole = withParameterSets([new Uint8Array(sps), new Uint8Array(pps)], unit(idr));
  assert.deepEqual(nalUnits(whole).map((nal) => nal[0] & 31), [7, 8, 5]);
});
