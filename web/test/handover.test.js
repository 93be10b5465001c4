/* Live pictures go on while one program after another serves them, without a fault of the player or
 * another connection; and a denial holds, whichever program answers it.
 *
 * Method: the page notes when another picture is on the screen. Times with a hand-over and times
 * without one take turns, so that a busy machine is the same for both. */
import assert from "node:assert/strict";
import { glassAge, lab, Lateness, quantile, RATE, report, SCALE, shareLab } from "./lab.js";
import { message, morePictures, of, reaches, scene, show, statistics } from "./scenes.js";

const ROUNDS = Number(process.env.RELAY_BROWSER_ROUNDS || 10);
const REST_MS = 300;
const PICTURE_MS = 1000 / RATE;

shareLab();

/* In a page: notes from now on when another picture is on the screen, by its time code. */
function watch(/** @type {string} */ source) {
  const age = new Function(`return (${source})()`);
  let made = -Infinity;
  window.shown = [];
  const look = () => {
    const [now, old] = [Date.now(), age()];
    if (old !== null && now - old > made + 5) { /* two readings of a clock may differ by 1 ms */
      made = now - old;
      window.shown.push(now);
    }
    requestAnimationFrame(look);
  };
  look();
}

/** The longest time with one picture, of those that a choice takes. @param {number[]} shown
 * @param {(before: number, after: number) => boolean} choice */
function longestStop(shown, choice) {
  const stops = shown.slice(1).map((after, i) => choice(shown[i], after) ? after - shown[i] : 0);
  return Math.max(0, ...stops);
}

/** Hand-overs and as long times without one, in turn. @param {any} page */
async function takeTurns(page) {
  const [changing, quiet, lines] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    const from = Date.now();
    lines.push(await lab.relay.handOver());
    await page.waitForTimeout(REST_MS);
    const between = Date.now();
    changing.push([from, between]);
    await page.waitForTimeout(between - from);
    quiet.push([between, Date.now()]);
  }
  return { changing, quiet, lines };
}

/** Nothing of a topic was closed or opened again. @param {string} topic @param {number} count */
function assertUntouched(topic, count) {
  const of = (/** @type {string} */ what) =>
    lab.relay.lines(what).filter((line) => line.topic === topic);
  assert.deepEqual(of("connection closed"), []);
  assert.equal(of("new connection").length, count);
}

for (const [player, kind] of [["webcodecs", "h264"], ["mse", "h264"], ["mpegts", "h264"],
  ["jsmpeg", "mpeg1"], ["jpeg", "jpeg"]]) {
  scene(`${player} shows no stop in hand-overs`, kind, async (page) => {
    const topic = `moved-${player}`;
    const publisher = await lab.publish(kind, topic);
    await show(page, { ...of(topic), player });
    await reaches(page, "live");
    await page.evaluate(watch, glassAge.toString());
    await morePictures(page, RATE);
    /** @type {string[]} */
    const said = [];
    page.on("console", (/** @type {any} */ message) => said.push(message.text()));
    await page.evaluate(() => {
      window.states = [];
      document.querySelector("relay-video").addEventListener("relay-state",
        (/** @type {any} */ { detail }) => window.states.push(detail.state));
    });
    const lateness = new Lateness();
    const { changing, quiet, lines } = await takeTurns(page);
    const marginMs = lateness.marginMs();
    await morePictures(page);
    const { shown, states } = await page.evaluate(() =>
      ({ shown: window.shown, states: window.states }));
    const { faults, reconnects } = await statistics(page);
    const stops = changing.map(([from, to]) =>
      longestStop(shown, (before, after) => after > from && before < to));
    const usual = quiet.map(([from, to]) =>
      longestStop(shown, (before, after) => before > from && after < to));
    const figures = (/** @type {number[]} */ times) =>
      ({ median: quantile(times, 0.5), longest: Math.max(...times) });
    report(`handover-${player}`, { stopMs: figures(stops), withoutMs: figures(usual),
      gapMs: figures(lines.map((line) => line.gap_ms)), of: ROUNDS,
      marginMs: Math.round(marginMs) });
    assert.deepEqual({ faults, reconnects, states, said },
      { faults: 0, reconnects: 0, states: [], said: [] });
    assertUntouched(topic, 2);
    assert.ok(lines.every(({ stayed }) => stayed === 0));
    assert.ok(quantile(stops, 0.5) <= quantile(usual, 0.5) + PICTURE_MS * SCALE,
      `median: ${stops}; ${usual}`);
    assert.ok(Math.max(...stops) <= Math.max(...usual) + PICTURE_MS * SCALE + marginMs,
      `longest: ${stops}; ${usual}`);
    await publisher.stop();
  });
}

scene("a denial in the middle of a hand-over ends a picture, and no other one", "jpeg",
  async (page) => {
    const publisher = await lab.publish("jpeg", "cut");
    const other = await lab.page();
    await show(other, of("cut"));
    await reaches(other, "live");
    let sockets = 0;
    let tookMs = 0;
    page.on("websocket", () => sockets++);
    for (let round = 0; round < ROUNDS; round++) {
      const booking = `cut-${round}`;
      await show(page, of("cut", { booking_id: booking }));
      await reaches(page, "live");
      const began = performance.now();
      const handOver = lab.relay.handOver();
      await page.waitForTimeout((tookMs * round) / ROUNDS);
      await Promise.all([handOver.then(() => (tookMs = performance.now() - began)),
        lab.relay.deny(booking)]);
      await reaches(page, "ended");
      assert.equal(await message(page), "The booking was cancelled.");
      const { src, token } = of("cut", { booking_id: booking });
      const again = await fetch(src, { method: "POST", headers: { Authorization: token } });
      assert.equal(again.status, 400);
    }
    assert.equal(sockets, ROUNDS);
    await morePictures(other);
    assert.equal((await statistics(other)).reconnects, 0);
    await other.context().close();
    await publisher.stop();
  });
