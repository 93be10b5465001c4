/* Pages that know nothing of relay.js: practable's with JSMpeg, mpegts.js by URL; and wss. */
import assert from "node:assert/strict";
import { Lab, lab, labTest, SCALE, shareLab } from "./lab.js";

const WAIT = { timeout: 20_000 * SCALE };

shareLab();

labTest("a page as practable's shows video by JSMpeg and talks data", "mpeg1", async () => {
  const publisher = await lab.publish("mpeg1", "old");
  const page = await lab.page();
  const [video, data] = ["old", "old-data"].map((topic) => ({
    url: `${lab.relay.access}/session/${topic}`, token: lab.relay.token({ topic }) }));
  await page.evaluate(async ([video, data]) => {
    const uriOf = async ({ url, token }) => (await window.axios.post(url, {}, {
      headers: { Authorization: token } })).data.uri;
    const canvas = document.createElement("canvas");
    document.body.append(canvas);
    window.decoded = 0;
    window.player = new window.JSMpeg.Player(await uriOf(video), { canvas,
      preserveDrawingBuffer: true, onVideoDecode: () => window.decoded++ });
    const [first, second] = [new WebSocket(await uriOf(data)),
      new WebSocket(await uriOf(data), "null")];
    window.protocols = await Promise.all([first, second].map((socket) =>
      new Promise((resolve, reject) => {
        socket.onopen = () => resolve(socket.protocol);
        socket.onerror = reject;
      })));
    window.heard = new Promise((resolve) => {
      second.onmessage = (event) => resolve(event.data);
    });
    first.send('{"cmd":"go"}');
  }, [video, data]);
  await page.waitForFunction(() => window.decoded > 25, null, WAIT);
  assert.equal(await page.evaluate(() => window.heard), '{"cmd":"go"}');
  assert.deepEqual(await page.evaluate(() => window.protocols), ["", "null"]);
  await lab.screenshot(page, "unchanged-jsmpeg");
  await page.context().close();
  await publisher.stop();
  assert.deepEqual(lab.complaints.splice(0), []);
});

labTest("mpegts.js plays a URI of the access API", "h264", async () => {
  const publisher = await lab.publish("h264", "url");
  const page = await lab.page();
  await page.evaluate(async ([url, token]) => {
    const answer = await fetch(url, { method: "POST", headers: { Authorization: token } });
    const { uri } = await answer.json();
    const video = document.createElement("video");
    Object.assign(video, { muted: true, playsInline: true });
    document.body.append(video);
    window.player = window.mpegts.createPlayer({ type: "mse", isLive: true, url: uri });
    window.player.attachMediaElement(video);
    window.player.load();
    void window.player.play();
  }, [`${lab.relay.access}/session/url`, lab.relay.token({ topic: "url" })]);
  await page.waitForFunction(() => document.querySelector("video").currentTime > 0.5, null, WAIT);
  await page.context().close();
  await publisher.stop();
  assert.deepEqual(lab.complaints.splice(0), []);
});

labTest("all of it over TLS, with certificates of an authority of the tests", "h264", async () => {
  const secure = await Lab.open({ tls: true });
  try {
    await secure.publish("h264");
    const page = await secure.page(secure.watchUrl("h264"));
    await page.waitForFunction(() => document.querySelector("relay-video").state === "live", null,
      WAIT);
    assert.match(page.url(), /^https:/);
    await secure.screenshot(page, "watch-tls");
    assert.deepEqual(secure.complaints, []);
  } finally {
    await secure.close();
  }
});
