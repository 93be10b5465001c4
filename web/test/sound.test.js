/* Sound: AAC by the browser's own player, MP2 by JSMpeg. It begins muted, and is heard after a
 * click. */
import assert from "node:assert/strict";
import { glassAge, lab, Lateness, report, SCALE, shareLab, until } from "./lab.js";
import { morePictures, of, reaches, scene, show, statistics, WAIT } from "./scenes.js";

shareLab();

/* In a page: keeps what JSMpeg makes to play sound with. */
function listen() {
  const Context = window.AudioContext;
  window.contexts = [];
  window.AudioContext = class extends Context {
    constructor() {
      super();
      window.contexts.push(this);
      this.played = 0;
    }

    createGain() {
      return (this.lastGain = super.createGain());
    }

    createBufferSource() {
      this.played++;
      return super.createBufferSource();
    }
  };
}

/** Presses the button for sound, as a person would. @param {any} page */
async function press(page, text = "Sound on") {
  await page.hover("relay-video");
  await page.click(`relay-video >> text=${text}`);
}

scene("mse plays AAC beside H.264", "h264-aac", async (page) => {
  const publisher = await lab.publish("h264-aac", "aac");
  await show(page, { ...of("aac"), audio: "", controls: "" });
  await reaches(page, "live");
  const { player, codec } = await statistics(page);
  assert.equal(player, "mse", "with sound it is preferred");
  assert.match(codec, /^avc1\.\w{6},mp4a\.40\.2$/);
  const sound = () => page.evaluate(() => {
    const { video } = document.querySelector("relay-video");
    return { bytes: video.webkitAudioDecodedByteCount, muted: video.muted, paused: video.paused };
  });
  assert.equal((await sound()).muted, true);
  await press(page);
  const { bytes, muted } = await sound();
  assert.equal(muted, false);
  await until(async () => (await sound()).bytes > bytes, "decoded sound");
  await morePictures(page, 10);
  assert.equal((await sound()).paused, false);
  const lateness = new Lateness();
  const age = await until(() => page.evaluate(glassAge), "a time code");
  report("sound-mse", { age });
  assert.ok(age < 1500 * SCALE + lateness.marginMs(), `${age} ms`);
  await press(page, "Sound off");
  assert.equal((await sound()).muted, true);
  await publisher.stop();
});

scene("sound is muted where a page may not begin it", "h264-aac", async (page) => {
  const publisher = await lab.publish("h264-aac", "unasked");
  await show(page, { ...of("unasked"), audio: "", player: "mse" });
  await page.evaluate(() => {
    const element = document.querySelector("relay-video");
    const play = element.video.play.bind(element.video);
    element.video.play = async () => { /* as a browser's policy on autoplay */
      if (!element.video.muted) {
        throw new DOMException("not without a gesture", "NotAllowedError");
      }
      return play();
    };
    element.muted = false;
  });
  await reaches(page, "live");
  await morePictures(page, 3);
  assert.equal(await page.evaluate(() => document.querySelector("relay-video").video.muted), true);
  await publisher.stop();
});

scene("jsmpeg plays MP2 beside MPEG-1", "mpeg1-mp2", async (page) => {
  const publisher = await lab.publish("mpeg1-mp2", "mp2");
  await page.evaluate(listen);
  await show(page, { ...of("mp2"), audio: "", controls: "" });
  await reaches(page, "live");
  assert.equal((await statistics(page)).player, "jsmpeg");
  const sound = () => page.evaluate(() => window.contexts.map(({ state, played, lastGain }) =>
    ({ state, played, gain: lastGain.gain.value })));
  await until(async () => (await sound())[0]?.played > 3, "pieces of sound");
  assert.equal((await sound())[0].gain, 0, "it begins muted");
  await press(page);
  await until(async () => {
    const [{ state, gain }] = await sound();
    return state === "running" && gain === 1;
  }, "sound that is heard");
  await morePictures(page, 10);
  await page.evaluate(() => document.querySelector("relay-video").remove());
  await until(async () => (await sound()).every(({ state }) => state === "closed"), "its end");
  await publisher.stop();
});

scene("without sound in the stream there is nothing of it", "mpeg1", async (page) => {
  const publisher = await lab.publish("mpeg1", "mute");
  await page.evaluate(listen);
  await show(page, { ...of("mute"), controls: "" });
  await reaches(page, "live");
  await page.hover("relay-video");
  assert.equal(await page.isVisible("relay-video >> text=Sound on"), false);
  assert.equal(await page.evaluate(() => window.contexts.length), 0);
  await publisher.stop();
});

scene("a player without sound has no button for it", "h264-aac", async (page) => {
  const publisher = await lab.publish("h264-aac", "picture");
  await show(page, { ...of("picture"), controls: "" });
  await reaches(page, "live");
  assert.equal((await statistics(page)).player, "webcodecs");
  await page.waitForTimeout(600); /* a refresh of the controls */
  await page.hover("relay-video");
  assert.equal(await page.isVisible("relay-video >> text=Sound on"), false);
  await page.evaluate(() => document.querySelector("relay-video").setAttribute("player", "mse"));
  await reaches(page, "live");
  await page.waitForFunction(() => !document.querySelector("relay-video").shadowRoot
    .querySelectorAll("button")[1].hidden, null, WAIT);
  await publisher.stop();
});
