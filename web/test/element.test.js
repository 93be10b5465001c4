/* What an element makes of its circumstances: a slow decoder, another publisher, lost messages, a
 * machine that slept, a page that was hidden. */
import assert from "node:assert/strict";
import { glassAge, lab, Lateness, report, SCALE, shareLab, until } from "./lab.js";
import { morePictures, network, of, reaches, scene, show, statistics, WAIT } from "./scenes.js";

const HIDDEN_MS = Number(process.env.RELAY_BROWSER_HIDDEN_MS || 4000);

shareLab();

scene("a poster is there until the first picture is", "jpeg", async (page) => {
  const publisher = await lab.publish("jpeg", "poster");
  await show(page, of("poster"));
  await reaches(page, "live"); /* so that there is a snapshot */
  await page.evaluate(() => {
    const decode = window.createImageBitmap;
    window.createImageBitmap = async (...words) => {
      await window.isReady;
      return decode(...words);
    };
    window.isReady = new Promise((resolve) => (window.getReady = resolve));
    window.revoked = [];
    const revoke = URL.revokeObjectURL.bind(URL);
    URL.revokeObjectURL = (url) => {
      window.revoked.push(url);
      revoke(url);
    };
  });
  await show(page, { ...of("poster"), poster: "" });
  const poster = () => page.evaluate(() => {
    const image = document.querySelector("relay-video").shadowRoot.querySelector("img");
    return { isShown: !image.hidden && image.naturalWidth === 640, src: image.src };
  });
  const { src } = await until(async () => {
    const found = await poster();
    return found.isShown && found;
  }, "the poster");
  await lab.screenshot(page, "element-poster");
  await page.evaluate(() => window.getReady());
  await reaches(page, "live");
  assert.deepEqual(await poster(), { isShown: false, src: "" });
  assert.deepEqual(await page.evaluate(() => window.revoked), [src]);
  await publisher.stop();
});

scene("hardware that holds pictures back is done without", "h264", async (page) => {
  const publisher = await lab.publish("h264", "held");
  await page.evaluate(() => {
    const Decoder = window.VideoDecoder;
    window.configured = [];
    window.VideoDecoder = class extends Decoder { /* as hardware that wants four more */
      constructor({ output, error }) {
        const held = [];
        super({ error, output: (frame) => {
          held.push(frame);
          const most = window.configured.at(-1) === "prefer-software" ? 0 : 4;
          while (held.length > most) {
            output(held.shift());
          }
        } });
        this.held = held;
      }

      configure(config) {
        window.configured.push(config.hardwareAcceleration);
        super.configure(config);
      }

      close() {
        this.held.forEach((frame) => frame.close());
        super.close();
      }
    };
  });
  await show(page, { ...of("held"), player: "webcodecs" });
  await reaches(page, "live");
  await page.waitForFunction(() => window.configured.includes("prefer-software"), null, WAIT);
  await morePictures(page, 10);
  assert.deepEqual(await page.evaluate(() => window.configured),
    ["no-preference", "prefer-software"]);
  await page.waitForFunction(() => document.querySelector("relay-video").statistics.lagMs < 100,
    null, WAIT);
  await publisher.stop();
});

for (const player of ["webcodecs", "mse", "mpegts"]) {
  scene(`${player} goes on with another publisher, whose clock is behind`, "h264-ffmpeg",
    async (page) => {
      const topic = `taken-over-${player}`;
      const first = await lab.publish("h264-ffmpeg", topic);
      await show(page, { ...of(topic), player });
      await reaches(page, "live");
      await page.waitForTimeout(3000); /* its time stamps are so far */
      await first.stop();
      const lateness = new Lateness();
      const second = await lab.publish("h264-ffmpeg", topic);
      const began = performance.now();
      await page.waitForTimeout(2500); /* until the last picture of the first one is old */
      const age = await until(async () => {
        const found = await page.evaluate(glassAge);
        return found !== null && found < 1500 * SCALE + lateness.worst * 5 && found;
      }, "pictures of the second one", 20_000 * SCALE);
      report(`taken-over-${player}`,
        { presentAfterMs: Math.round(performance.now() - began), age });
      lateness.marginMs();
      await second.stop();
    });
}

scene("a picture without which no other can be shown is asked for", "h264-long", async (page) => {
  const publisher = await lab.publish("h264-long", "asking");
  await page.evaluate(() => {
    window.lose = 0;
    const Socket = window.WebSocket;
    const { set } = Object.getOwnPropertyDescriptor(Socket.prototype, "onmessage");
    window.WebSocket = class extends Socket {
      set onmessage(handle) {
        set.call(this, handle && ((event) => {
          if (window.lose > 0 && event.data.byteLength > 200) {
            window.lose--;
          } else {
            handle(event);
          }
        }));
      }
    };
  });
  await show(page, { ...of("asking"), player: "webcodecs" });
  await reaches(page, "live");
  await morePictures(page, 10);
  const { dropped } = await statistics(page);
  await page.evaluate(() => (window.lose = 3));
  await page.waitForFunction(() => window.lose === 0, null, WAIT);
  await page.waitForFunction((/** @type {number} */ before) =>
    document.querySelector("relay-video").statistics.dropped > before, dropped, WAIT);
  const lateness = new Lateness();
  const began = performance.now();
  await morePictures(page, 10);
  const backMs = performance.now() - began;
  report("key-picture", { morePicturesAfterMs: Math.round(backMs) });
  assert.ok(backMs < 5000 * SCALE + lateness.marginMs(), `${backMs} ms: the next is 20 s away`);
  await publisher.stop();
});

/* In a page: this machine's clock goes on while all else stands still. @param {number} ms */
function sleep(ms) {
  const now = Date.now;
  Date.now = () => now() + ms;
}

scene("a machine that slept finds that its connection is gone", "mpeg1", async (page) => {
  const publisher = await lab.publish("mpeg1", "slept");
  const between = await network(lab.relay.port);
  await page.evaluate((/** @type {number} */ port) => {
    const Socket = window.WebSocket;
    window.WebSocket = class extends Socket {
      constructor(uri, ...words) {
        super(window.isAwake ? uri : uri.replace(/:\d+\//, `:${port}/`), ...words);
      }
    };
  }, between.port);
  await show(page, of("slept"));
  await reaches(page, "live");
  between.hold(true); /* as a network that forgot it */
  await page.evaluate(() => (window.isAwake = true));
  await page.evaluate(sleep, 60_000);
  await page.waitForFunction(() =>
    document.querySelector("relay-video").statistics.reconnects === 1, null, WAIT);
  await reaches(page, "live");
  await morePictures(page, 2);
  between.close();
  await publisher.stop();
});

scene("a machine that slept keeps a connection that is alive, however quiet", "", async (page) => {
  await page.evaluate(([access, token]) => {
    window.connection = window.relay.connect({ access, topic: "quiet", token });
  }, [lab.relay.access, lab.relay.token({ topic: "quiet" })]);
  await page.waitForFunction(() => window.connection.roundTripMs > 0, null, WAIT);
  await page.evaluate(sleep, 60_000);
  await page.waitForTimeout(9000); /* a tick of 5 s, and 3 s for a proof */
  assert.equal(await page.evaluate(() => window.connection.statistics.opened), 1);
  await page.evaluate(() => window.connection.close());
});

/** @param {any} page @param {string} state */
const look = (page, state) => page.evaluate((/** @type {string} */ state) => {
  Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}, state);

/* In a page, as browsers do with a hidden one: no animation frames; and counts what is held. */
function hide() {
  const [ask, Decoder] = [window.requestAnimationFrame, window.VideoDecoder];
  const waiting = [];
  window.open_ = { frames: 0, most: 0 };
  window.requestAnimationFrame = (run) => (window.isHidden ? waiting.push(run) : ask(run));
  window.show_ = () => new Promise((resolve) => {
    const element = document.querySelector("relay-video");
    const { shown } = element.statistics;
    const look = () => (element.statistics.shown > shown ? resolve(window.glassAge()) : ask(look));
    window.isHidden = false;
    waiting.splice(0).forEach((run) => ask(run));
    ask(look);
  });
  window.VideoDecoder = class extends Decoder {
    constructor({ output, error }) {
      super({ error, output: (frame) => {
        const { open_ } = window;
        open_.most = Math.max(open_.most, ++open_.frames);
        const close = frame.close.bind(frame);
        frame.close = () => {
          open_.frames--;
          frame.close = close;
          close();
        };
        output(frame);
      } });
    }
  };
}

for (const [player, kind] of [["webcodecs", "h264"], ["jsmpeg", "mpeg1"], ["jpeg", "jpeg"]]) {
  scene(`${player} in a hidden page holds little, and is with the present again`, kind,
    async (page) => {
      const topic = `background-${player}`;
      const publisher = await lab.publish(kind, topic);
      await page.evaluate(hide);
      await show(page, { ...of(topic), player, background: "" });
      await reaches(page, "live");
      await page.evaluate(() => (window.isHidden = true));
      await look(page, "hidden");
      await page.waitForTimeout(HIDDEN_MS);
      assert.equal((await statistics(page)).reconnects, 0);
      assert.ok((await page.evaluate(() => window.open_.most)) <= 4, "decoded pictures");
      await page.evaluate(`window.glassAge = ${glassAge}`);
      const lateness = new Lateness();
      const began = performance.now();
      const firstAge = await page.evaluate(() => window.show_());
      const presentAfterMs = Math.round(performance.now() - began);
      await look(page, "visible");
      report(`background-${player}`, { hiddenMs: HIDDEN_MS, presentAfterMs, firstAge });
      assert.ok(firstAge !== null && firstAge < 1000 * SCALE + lateness.marginMs(), `${firstAge}`);
      await morePictures(page, 3);
      await publisher.stop();
    });
}

scene("what was paused by hand is paused when the page is seen again", "", async (page) => {
  await show(page, of("by-hand"));
  const state = () => page.evaluate(() => document.querySelector("relay-video").connection?.state);
  await until(async () => await state() === "open", "a connection");
  await page.evaluate(() => document.querySelector("relay-video").pause());
  await until(async () => await state() === "paused", "the pause");
  await look(page, "hidden");
  await look(page, "visible");
  await page.waitForTimeout(500); /* an attempt would have begun */
  assert.equal(await state(), "paused");
  await page.evaluate(() => document.querySelector("relay-video").play());
  await until(async () => await state() === "open", "a connection");
});

scene("in a page that begins hidden nothing is connected before it is seen", "", async (page) => {
  await look(page, "hidden");
  await show(page, of("unseen"));
  await reaches(page, "paused");
  await look(page, "visible");
  await page.waitForFunction(() =>
    document.querySelector("relay-video").connection.state === "open", null, WAIT);
});

scene("a relay that is back without a publisher is told as such", "jpeg", async (page) => {
  const publisher = await lab.publish("jpeg", "left-alone");
  await show(page, of("left-alone"));
  await reaches(page, "live");
  await publisher.stop();
  await page.evaluate(() => document.querySelector("relay-video").pause());
  await reaches(page, "paused");
  await page.evaluate(() => document.querySelector("relay-video").play());
  await reaches(page, "silent");
});
