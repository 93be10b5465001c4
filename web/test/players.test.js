/* Each player shows a live topic, soon and not late. */
import assert from "node:assert/strict";
import { glassAge, lab, labTest, Lateness, quantile, report, SCALE, shareLab } from "./lab.js";

const STARTS = Number(process.env.RELAY_BROWSER_STARTS || 3);
const WATCH_MS = Number(process.env.RELAY_BROWSER_WATCH_MS || 2500);
const LATE_MS = 400 * SCALE; /* a busy machine's: figures are in figures.json */

shareLab();

const players = [
  { player: "webcodecs", kind: "h264" },
  { player: "mse", kind: "h264" },
  { player: "mpegts", kind: "h264" },
  { player: "jsmpeg", kind: "mpeg1" },
  { player: "jpeg", kind: "jpeg" },
];

/** One element, from its making to its first picture. @param {any} page */
async function start(page, src, token, player) {
  await page.evaluate(([src, token, player]) => {
    document.body.replaceChildren();
    const element = document.createElement("relay-video");
    for (const [name, value] of Object.entries({ src, token, player, stats: "", controls: "" })) {
      element.setAttribute(name, value);
    }
    document.body.append(element);
  }, [src, token, player]);
  await page.waitForFunction(() => document.querySelector("relay-video").startMs !== null, null,
    { timeout: 20_000 * SCALE });
  return page.evaluate(() => document.querySelector("relay-video").startMs);
}

/** What the page costs while it only shows its picture, in percent of a core: its process, of it
 * the page's own thread, and all of the browser. @param {any} page */
async function cpu(page) {
  const [browser, tab] = [await lab.browser.newBrowserCDPSession(),
    await page.context().newCDPSession(page)];
  await tab.send("Performance.enable", { timeDomain: "threadTicks" });
  const read = async () => {
    const { processInfo } = await browser.send("SystemInfo.getProcessInfo");
    const { metrics } = await tab.send("Performance.getMetrics");
    const sum = (/** @type {(type: string) => boolean} */ wanted) => processInfo.reduce(
      (/** @type {number} */ total, /** @type {any} */ { type, cpuTime }) =>
        total + (wanted(type) ? cpuTime : 0), 0);
    return { at: performance.now() / 1000, page: sum((type) => type === "renderer"),
      thread: metrics.find((/** @type {any} */ { name }) => name === "TaskDuration").value,
      browser: sum(() => true) };
  };
  await page.evaluate(() => document.querySelector("relay-video").removeAttribute("stats"));
  const before = await read();
  await page.waitForTimeout(WATCH_MS);
  const after = await read();
  const percent = (/** @type {"page" | "thread" | "browser"} */ what) =>
    Math.round((100 * (after[what] - before[what])) / (after.at - before.at));
  return { page: percent("page"), thread: percent("thread"), browser: percent("browser") };
}

for (const { player, kind } of players) {
  labTest(`${player} shows ${kind} at once and stays with the present`, kind, async () => {
    const publisher = await lab.publish(kind, player);
    const page = await lab.page();
    const src = `${lab.relay.access}/session/${player}`;
    const token = lab.relay.token({ topic: player, scopes: ["read"] });
    await start(page, src, token, player);
    const starts = [];
    for (let round = 0; round < STARTS; round++) {
      starts.push(await start(page, src, token, player));
    }
    const lateness = new Lateness();
    const ages = await page.evaluate(async ([source, ms]) => {
      const age = new Function(`return (${source})()`);
      const found = [];
      const end = performance.now() + ms;
      while (performance.now() < end) {
        await new Promise((resolve) => requestAnimationFrame(resolve));
        found.push(age());
      }
      return found;
    }, [glassAge.toString(), WATCH_MS]);
    const read = ages.filter((/** @type {number | null} */ age) => age !== null);
    const statistics = await page.evaluate(() => document.querySelector("relay-video").statistics);
    await lab.screenshot(page, `player-${player}`);
    const spent = await cpu(page);
    report(player, { startMs: { median: Math.round(quantile(starts, 0.5)), of: starts.length },
      glassMs: { median: quantile(read, 0.5), p99: quantile(read, 0.99) },
      cpuPercent: spent, ...statistics });
    assert.ok(spent.page > 0, "the cost of the page was measured");
    assert.ok(read.length > ages.length / 2, `${read.length} of ${ages.length} codes were read`);
    const bufferMs = player === "mse" || player === "mpegts" ? 400 : 0;
    assert.ok(quantile(read, 0.5) < LATE_MS + bufferMs + lateness.marginMs(),
      `median ${quantile(read, 0.5)} ms`);
    assert.equal(statistics.faults, 0);
    assert.equal(statistics.player, player);
    await page.context().close();
    await publisher.stop();
    assert.deepEqual(lab.complaints, []);
  });
}
