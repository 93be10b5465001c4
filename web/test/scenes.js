/* What tests of an element in a page have in common. */
import assert from "node:assert/strict";
import { createServer, connect as dial } from "node:net";
import { lab, labTest, SCALE } from "./lab.js";

export const WAIT = { timeout: 20_000 * SCALE };

/** @param {string} name @param {string} kind @param {(page: any) => Promise<void>} run */
export function scene(name, kind, run) {
  labTest(name, kind, async () => {
    const page = await lab.page();
    await page.exposeFunction("makeToken", (/** @type {object} */ claims) =>
      lab.relay.token(claims));
    try {
      await run(page);
    } finally {
      await page.context().close();
    }
    assert.deepEqual(lab.complaints.splice(0), [], "nothing is left uncaught");
  });
}

/** Puts an element into the page. @param {any} page @param {Record<string, string>} attributes */
export function show(page, attributes) {
  return page.evaluate((/** @type {Record<string, string>} */ attributes) => {
    document.body.replaceChildren();
    const element = document.createElement("relay-video");
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    document.body.append(element);
  }, attributes);
}

/** @param {string} topic @param {object} [claims] */
export function of(topic, claims = {}) {
  return { src: `${lab.relay.access}/session/${topic}`,
    token: lab.relay.token({ topic, scopes: ["read"], ...claims }) };
}

/** @param {any} page @param {string} state */
export const reaches = (page, state) => page.waitForFunction((/** @type {string} */ wanted) =>
  document.querySelector("relay-video").state === wanted, state, WAIT);

/** @param {any} page */
export const message = (page) => page.evaluate(() =>
  document.querySelector("relay-video").message.textContent);

/** @param {any} page */
export const statistics = (page) => page.evaluate(() =>
  document.querySelector("relay-video").statistics);

/** Waits for pictures after those that are shown now. @param {any} page */
export async function morePictures(page, count = 5) {
  const { shown } = await statistics(page);
  await page.waitForFunction((/** @type {number} */ than) =>
    document.querySelector("relay-video").statistics.shown > than, shown + count, WAIT);
}

/** What stands between page and relay, and can hold everything back. @param {number} port */
export async function network(port) {
  const sockets = new Set();
  let isHeld = false;
  const server = createServer((near) => {
    const far = dial(port, "127.0.0.1");
    for (const [from, to] of [[near, far], [far, near]]) {
      sockets.add(from);
      from.on("data", (bytes) => to.write(bytes));
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      if (isHeld) {
        from.pause();
      }
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  return {
    port: server.address().port,
    hold: (/** @type {boolean} */ held) => {
      isHeld = held;
      sockets.forEach((socket) => (held ? socket.pause() : socket.resume()));
    },
    close: () => {
      sockets.forEach((socket) => socket.destroy());
      server.close();
    },
  };
}
