/* The page of the admin listener: topics with their figures, denying a booking, connections, and a
 * relay that goes away; in the light, in the dark and on a phone. Screenshots are left beside the
 * figures. */
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { freePort } from "../relay/test/support.js";
import { Lab, labTest, SCALE, until, whyNot } from "./lab.js";

const WAIT = { timeout: 20_000 * SCALE };
const LONG_NAME = "a-topic-whose-name-is-as-long-as-it-can-be-".repeat(5);
const LOOKS = [
  { name: "light", options: { viewport: { width: 1200, height: 900 }, colorScheme: "light" } },
  { name: "dark", options: { viewport: { width: 1200, height: 900 }, colorScheme: "dark" } },
  { name: "phone", options: { viewport: { width: 390, height: 780 }, hasTouch: true,
    isMobile: true, colorScheme: "dark" } },
];

/** @type {Lab} */
let lab;
let admin = "";
/** @type {(() => void)[]} */
const endings = [];

before(async () => {
  if (!whyNot("")) {
    const port = await freePort();
    admin = `http://127.0.0.1:${port}/`;
    lab = await Lab.open({ options: { RELAY_ADMIN_LISTEN: `127.0.0.1:${port}` } });
    stream("spinner/data", 50, 300);
    stream(LONG_NAME, 1000, 10);
    connect("quiet", ["read"], "quiet");
  }
});
after(async () => {
  endings.forEach((end) => end());
  await lab?.close();
});

/** @param {string} topic @param {string[]} scopes @param {string} booking */
function connect(topic, scopes, booking) {
  const connection = lab.relay.connect({ topic, token: lab.relay.token({ topic, scopes,
    booking_id: booking }) });
  endings.push(() => connection.close());
  return connection;
}

/** A publisher and a viewer. @param {string} topic @param {number} period @param {number} size */
function stream(topic, period, size) {
  const publisher = connect(topic, ["write"], "host");
  const timer = setInterval(() => publisher.send("x".repeat(size)), period);
  endings.push(() => clearInterval(timer));
  connect(topic, ["read"], "student");
}

/** @param {object} [options] */
async function open(options) {
  const page = await lab.page("about:blank", options);
  page.on("console", (/** @type {any} */ message) => lab.complaints.push(message.text()));
  page.on("request", (/** @type {any} */ request) => assert.ok(request.url().startsWith(admin)));
  await page.goto(admin);
  await page.waitForFunction(() => /bit\/s/.test(document.body.innerText), null, WAIT);
  return page;
}

/**
 * The texts of a topic's row, by the titles of the columns.
 *
 * @param {any} page @param {string} topic
 */
const row = (page, topic) => page.evaluate((/** @type {string} */ name) => {
  const found = [...document.querySelectorAll("#topics tbody tr")]
    .find((each) => each.cells[0].textContent === name);
  return found && Object.fromEntries([...found.cells].map((each) =>
    [each.dataset.title, each.textContent]));
}, topic);

for (const { name, options } of LOOKS) {
  labTest(`shows what topics do, ${name}`, "", async () => {
    const page = await open(options);
    const seen = await row(page, "spinner/data");
    assert.equal(seen.Publishers, "1");
    assert.equal(seen.Viewers, "1");
    assert.match(seen.In, /^\d+ kbit\/s$/);
    assert.equal(seen.Lost, "0");
    assert.equal((await row(page, "quiet"))["Newest message"], "none");
    assert.equal(await row(page, "other"), undefined, "nothing is in it");
    assert.match(await page.textContent("#state"), /^version .* ready, 5 WebSockets, /);
    await page.click("#load-connections");
    await page.waitForSelector("#connections:not([hidden])", WAIT);
    assert.match(await page.textContent("#connections-state"), /^6 at /);
    await until(async () => (await page.evaluate(() =>
      document.querySelector("polyline").points.length)) > 2, "a graph");
    const size = await page.evaluate(() =>
      [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(size[0] <= size[1], `it scrolls sideways: ${size}`);
    await page.evaluate(() => window.scrollTo(0, 0));
    await lab.screenshot(page, `admin-${name}`);
    assert.deepEqual(lab.complaints.splice(0), []);
    await page.context().close();
  });
}

labTest("denies a booking, and allows it again", "", async () => {
  const student = connect("quiet", ["read"], "booking <b>7</b>");
  const page = await open(LOOKS[0].options);
  await until(async () => (await row(page, "quiet")).Viewers === "2", "the student to be there");
  assert.match(await page.textContent("#denied"), /^none$/);
  await page.fill("#deny input[name=booking]", "booking <b>7</b>");
  await page.click("#deny button");
  await until(async () => await page.textContent("#deny-result")
    === "booking <b>7</b> is denied.", "the denial to be told");
  await until(async () => student.state === "ended",
    `the student to be cut, who is ${student.state}`);
  await until(async () => (await row(page, "quiet")).Viewers === "1", "the student to be gone");
  assert.match(await page.textContent("#denied"), /booking <b>7<\/b>/);
  await page.evaluate(() => document.getElementById("denied").scrollIntoView());
  await lab.screenshot(page, "admin-denied");
  await page.click("#denied button");
  await until(async () => (await page.textContent("#denied")) === "none", "it to be allowed again");
  assert.equal(await page.textContent("#deny-result"), "booking <b>7</b> is allowed again.");
  assert.deepEqual(lab.complaints.splice(0), []);
  await page.context().close();
});

labTest("says that the relay is away, and goes on when it is back", "", async () => {
  const page = await open(LOOKS[0].options);
  await lab.relay.stop();
  await until(async () => /^the relay does not answer/.test(await page.textContent("#state")),
    "the outage to be told");
  await lab.screenshot(page, "admin-away");
  await lab.relay.launch();
  await until(async () => / ready, /.test(await page.textContent("#state")),
    "the relay to be back");
  lab.complaints.splice(0); /* the browser tells of each request that failed */
  await page.context().close();
});
