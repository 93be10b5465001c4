/* The page of /watch, as relay serve has it compiled in: every kind of topic, its tools, and what
 * it says when something is wrong. Screenshots are left beside the figures. */
import assert from "node:assert/strict";
import { lab, labTest, SCALE, shareLab, until } from "./lab.js";

const PHONE = { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true,
  colorScheme: "dark" };

shareLab();

/** @param {string} name @param {string} kind @param {(context: any) => Promise<void>} run */
function scene(name, kind, run) {
  labTest(name, kind, async (context) => {
    await run(context);
    assert.deepEqual(lab.complaints.splice(0), []);
  });
}

/** A page whose requests and console are kept. @param {string} url @param {object} [options] */
async function open(url, options) {
  const page = await lab.page("about:blank", options);
  /** @type {string[]} */
  const requests = [];
  /** @type {string[]} */
  const console = [];
  page.on("request", (/** @type {any} */ request) => requests.push(request.url()));
  page.on("websocket", (/** @type {any} */ socket) => requests.push(socket.url()));
  page.on("console", (/** @type {any} */ message) => console.push(message.text()));
  await page.goto(url);
  return { page, requests, console };
}

/** On a desk and on a phone, by day and by night; nowhere it scrolls sideways. @param {any} page
 * @param {string} name */
async function portray(page, name) {
  for (const [device, viewport] of [["desk", { width: 1100, height: 760 }],
    ["phone", PHONE.viewport]]) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await lab.screenshot(page, `watch-${name}-${device}-${colorScheme}`);
    }
    const [content, window] = await page.evaluate(() =>
      [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(content <= window, `${content} > ${window}: it scrolls sideways`);
  }
}

/** @param {any} page */
const live = (page) => page.waitForFunction(
  () => document.querySelector("relay-video").state === "live", null, { timeout: 20_000 * SCALE });

/** @param {any} page @param {RegExp} expected */
const says = (page, expected) => until(
  async () => expected.test(await page.textContent("#state")), `${expected}`);

for (const kind of ["h264", "mpeg1", "jpeg"]) {
  scene(`shows ${kind}, and asks nothing but its relay`, kind, async () => {
    const publisher = await lab.publish(kind);
    const { page, requests, console } = await open(lab.watchUrl(kind));
    await live(page);
    await page.click("#stats");
    await page.waitForTimeout(1200); /* for the overlay of the pictures */
    assert.match(await page.textContent("relay-video .stats"), /[1-9]\d*\.\d pictures\/s/);
    assert.equal(await page.title(), `${kind} – relay`);
    assert.equal(await page.isVisible("#send"), false, "the token may not write");
    await portray(page, kind);
    assert.deepEqual(console, []);
    for (const url of requests.filter((each) => !each.startsWith("data:"))) {
      assert.match(url, new RegExp(`^(http|ws)://127\\.0\\.0\\.1:${lab.relay.port}/`));
      assert.ok(!url.includes("eyJ"), `a token in ${url}`);
    }
    await page.context().close();
    await publisher.stop();
  });
}

scene("shows data beside a box to send from, on a phone in the dark", "", async () => {
  const sender = lab.relay.connect({ topic: "data", token: lab.relay.token({ topic: "data" }) });
  /** @type {string[]} */
  const heard = [];
  sender.addEventListener("message", (event) =>
    heard.push(/** @type {MessageEvent} */ (event).data));
  const timer = setInterval(() => sender.send(JSON.stringify(
    { angle: Math.sin(Date.now() / 1000) * 90, rpm: 50 + 30 * Math.cos(Date.now() / 700) })), 50);
  const { page } = await open(lab.watchUrl("data", { scopes: ["read", "write"] }), PHONE);
  await page.waitForSelector("#data:not([hidden])");
  await page.fill("#text", '{"cmd":"go"}');
  await page.click("#sender button");
  await until(() => heard.includes('{"cmd":"go"}'), "what the page sent");
  assert.match(await page.textContent("#note"), /^Sent: /);
  await page.waitForTimeout(1500); /* for the chart of the screenshot */
  await portray(page, "data");
  clearInterval(timer);
  sender.close();
  await page.context().close();
});

scene("saves the picture and pauses", "jpeg", async () => {
  const publisher = await lab.publish("jpeg", "still");
  const { page } = await open(lab.watchUrl("still"), { acceptDownloads: true });
  await live(page);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#snapshot")]);
  assert.match(download.suggestedFilename(), /^still-.*\.png$/);
  await page.click("#pause");
  await says(page, /^paused$/);
  await page.click("#pause");
  await says(page, /^connected$/);
  await live(page);
  await page.context().close();
  await publisher.stop();
});

scene("asks for a token when it has none, and takes one", "", async () => {
  const { page } = await open(`${lab.relay.access}/watch`);
  await page.waitForSelector("#ask:not([hidden])");
  await portray(page, "ask");
  await page.fill("#token", lab.relay.token({ topic: "asked", scopes: ["read"] }));
  await page.click("#link button");
  await says(page, /^connected$/);
  await page.context().close();
});

const faults = [
  { name: "expired", claims: { lifetime: -5 }, says: /^the token has expired$/ },
  { name: "refused", claims: { aud: ["https://elsewhere.example"] }, says: /refuses the token: / },
];
for (const { name, claims, says: expected } of faults) {
  scene(`says that a token is ${name}, and tries no more`, "", async () => {
    const { page, requests } = await open(lab.watchUrl("t0", claims));
    await says(page, expected);
    assert.equal(await page.isVisible("#tools"), false, "there is nothing to do with it");
    await portray(page, name);
    const posts = requests.length;
    await page.waitForTimeout(1500); /* an attempt would come within one second */
    assert.equal(requests.length, posts);
    await page.context().close();
  });
}

scene("says at once that a booking was cancelled", "", async () => {
  const { page, requests } = await open(lab.watchUrl("t0", { booking_id: "watch-denied" }));
  await says(page, /^connected$/);
  await lab.relay.deny("watch-denied");
  await says(page, /the booking was cancelled/);
  await portray(page, "denied");
  const posts = requests.length;
  await page.waitForTimeout(1500); /* an attempt would come within one second */
  assert.equal(requests.length, posts);
  await page.context().close();
});

scene("says that the relay is away, and goes on when it is back", "h264", async () => {
  const publisher = await lab.publish("h264", "away");
  const { page } = await open(lab.watchUrl("away"));
  await live(page);
  await lab.relay.stop("SIGKILL");
  await says(page, /no relay answers at .*; trying again/);
  await portray(page, "away");
  await lab.relay.launch();
  await says(page, /^connected$/);
  await live(page);
  await page.context().close();
  await publisher.stop();
});

scene("says that nothing is published yet", "", async () => {
  const { page } = await open(lab.watchUrl("nothing"));
  await page.waitForFunction(() => document.querySelector("relay-video").state === "silent", null,
    { timeout: 20_000 * SCALE });
  await portray(page, "silent");
  await page.context().close();
});

scene("says that the browser cannot show what is published", "h265", async () => {
  const publisher = await lab.publish("h265", "strange");
  const { page } = await open(lab.watchUrl("strange"));
  await page.waitForFunction(() => document.querySelector("relay-video").state === "unsupported",
    null, { timeout: 20_000 * SCALE });
  await portray(page, "unsupported");
  await page.context().close();
  await publisher.stop();
});
