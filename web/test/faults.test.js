/* What goes wrong between a relay and a page, and what an element makes of it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { glassAge, lab, Lateness, quantile, Relay, report, SCALE, shareLab,
  until } from "./lab.js";
import { message, morePictures, network, of, reaches, scene, show, statistics,
  WAIT } from "./scenes.js";

shareLab();

scene("a relay that is killed and started is found without a reload", "mpeg1", async (page) => {
  const publisher = await lab.publish("mpeg1", "killed");
  await show(page, of("killed"));
  await reaches(page, "live");
  await lab.relay.stop("SIGKILL");
  await reaches(page, "reconnecting");
  const lateness = new Lateness();
  await lab.relay.launch();
  const returned = performance.now();
  await reaches(page, "live");
  await morePictures(page, 1);
  const backMs = performance.now() - returned;
  report("restart", { pictureBackMs: Math.round(backMs) });
  assert.ok(backMs < 3000 * SCALE + lateness.marginMs(), `${backMs} ms`);
  assert.equal((await statistics(page)).reconnects, 1);
  await publisher.stop();
});

scene("a denied booking shows at once and is not tried again", "jpeg", async (page) => {
  const publisher = await lab.publish("jpeg", "denied");
  let sockets = 0;
  page.on("websocket", () => sockets++);
  await show(page, of("denied", { booking_id: "element-denied" }));
  await reaches(page, "live");
  const before = sockets;
  const lateness = new Lateness();
  const began = performance.now();
  await lab.relay.deny("element-denied");
  await reaches(page, "ended");
  assert.ok(performance.now() - began < 1000 * SCALE + lateness.marginMs());
  assert.equal(await message(page), "The booking was cancelled.");
  await lab.screenshot(page, "element-denied");
  await page.waitForTimeout(1500); /* an attempt would come within one second */
  assert.equal(sockets, before);
  await publisher.stop();
});

scene("a token that expires is renewed in place", "jpeg", async (page) => {
  const publisher = await lab.publish("jpeg", "renewed");
  await page.evaluate(async (/** @type {string} */ src) => {
    const element = document.createElement("relay-video");
    let lifetime = 3;
    element.getToken = async () => {
      const token = await window.makeToken({ topic: "renewed", scopes: ["read"], lifetime,
        booking_id: "renewed" });
      lifetime = 300;
      return token;
    };
    element.setAttribute("src", src);
    document.body.append(element);
    window.states = [];
    element.addEventListener("relay-state", ({ detail }) => window.states.push(detail.state));
  }, of("renewed").src);
  await reaches(page, "live");
  const first = await page.evaluate(() => document.querySelector("relay-video").connection.token);
  await page.waitForFunction((/** @type {string} */ token) =>
    document.querySelector("relay-video").connection.token !== token, first, WAIT);
  await page.waitForTimeout(2500); /* past the end of the first one */
  await morePictures(page, 10);
  const states = await page.evaluate(() => window.states);
  assert.ok(!states.includes("ended"), states.join(" "));
  report("renewal", { reconnects: (await statistics(page)).reconnects });
  await publisher.stop();
});

scene("an origin that is not allowed is told with the option that allows it", "", async (page) => {
  const closed = await Relay.start();
  await show(page, { src: `${closed.access}/session/t0`, token: closed.token() });
  await reaches(page, "reconnecting");
  const said = await message(page);
  assert.match(said, /does not allow pages of http:\/\/127\.0\.0\.1:\d+: .* RELAY_CORS_ORIGINS=/);
  await lab.screenshot(page, "element-cors");
  await closed.stop();
});

const lacking = [
  { kind: "h265", says: /^H\.265 is played by few browsers: publish H\.264\.$/ },
  { kind: "mpeg2", says: /^MPEG-2 video is played by no browser: publish H\.264 or MPEG-1\.$/ },
];
for (const { kind, says } of lacking) {
  scene(`${kind}, which the browser lacks, is told in words`, kind, async (page) => {
    const publisher = await lab.publish(kind);
    await show(page, of(kind));
    await reaches(page, "unsupported");
    assert.match(await message(page), says);
    await lab.screenshot(page, `element-${kind}`);
    await publisher.stop();
  });
}

scene("bytes that are no video at all are told, and do no harm", "", async (page) => {
  const sender = lab.relay.connect({ topic: "noise", token: lab.relay.token({ topic: "noise" }) });
  const noise = setInterval(() =>
    sender.send(crypto.getRandomValues(new Uint8Array(60_000))), 10);
  await show(page, of("noise"));
  await reaches(page, "unsupported");
  assert.match(await message(page), /neither a transport stream nor JPEG/);
  clearInterval(noise);
  sender.close();
});

scene("a damaged stream is shown again as soon as it is whole", "h265", async (page) => {
  const ffmpeg = spawn("ffmpeg", ["-v", "error", "-re", "-f", "lavfi", "-i",
    "testsrc2=size=320x180:rate=25", "-c:v", "libx264", "-preset", "ultrafast", "-tune",
    "zerolatency", "-g", "12", "-pix_fmt", "yuv420p", "-flush_packets", "1", "-f", "mpegts", "-"],
  { stdio: ["ignore", "pipe", "ignore"] });
  const sender = lab.relay.connect({ topic: "damaged", token: lab.relay.token({
    topic: "damaged" }) });
  let damage = true;
  ffmpeg.stdout.on("data", (chunk) => {
    for (let at = 500; damage && at < chunk.length; at += 1 + Math.floor(Math.random() * 3000)) {
      chunk[at] ^= 1 << Math.floor(Math.random() * 8);
    }
    sender.send(new Uint8Array(damage ? chunk.subarray(Math.random() < 0.1 ? 100 : 0) : chunk));
  });
  await show(page, { ...of("damaged"), stats: "" });
  await page.waitForTimeout(3000); /* of damage */
  damage = false;
  await reaches(page, "live");
  await morePictures(page, 20);
  report("damaged", await statistics(page));
  ffmpeg.kill("SIGKILL");
  sender.close();
});

scene("a page that was hidden is with the present when it is seen again", "h264", async (page) => {
  const publisher = await lab.publish("h264", "hidden");
  await show(page, of("hidden"));
  await reaches(page, "live");
  const look = (/** @type {string} */ state) => page.evaluate((/** @type {string} */ state) => {
    Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, state);
  await look("hidden");
  await reaches(page, "paused");
  await page.waitForTimeout(2000); /* of being hidden */
  const lateness = new Lateness();
  const began = performance.now();
  await look("visible");
  await reaches(page, "live");
  report("hidden", { liveAfterMs: Math.round(performance.now() - began) });
  await morePictures(page, 2);
  const age = await until(() => page.evaluate(glassAge), "a time code");
  assert.ok(age < 1000 * SCALE + lateness.marginMs(), `${age} ms`);
  await publisher.stop();
});

/* In a page: counts what is open, while elements come and go. */
async function comeAndGo(/** @type {Record<string, string>} */ attributes) {
  const open = { sockets: 0, decoders: 0, frames: 0, intervals: 0, lives: 0 };
  const [Socket, Decoder] = [window.WebSocket, window.VideoDecoder];
  window.WebSocket = class extends Socket {
    constructor(...words) {
      super(...words);
      open.sockets++;
      this.addEventListener("close", () => open.sockets--);
    }
  };
  window.VideoDecoder = class extends Decoder {
    constructor({ output, error }) {
      super({ error, output: (frame) => {
        const close = frame.close.bind(frame);
        open.frames++;
        frame.close = () => {
          open.frames--;
          frame.close = close;
          close();
        };
        output(frame);
      } });
      open.decoders++;
    }

    close() {
      open.decoders--;
      super.close();
    }
  };
  const running = new Set();
  const [begin, end] = [window.setInterval, window.clearInterval];
  window.setInterval = (...words) => {
    const id = begin(...words);
    running.add(id);
    return id;
  };
  window.clearInterval = (id) => {
    running.delete(id);
    end(id);
  };
  for (let round = 0; round < 30; round++) {
    const element = document.createElement("relay-video");
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    document.body.append(element);
    const until = performance.now() + (round % 3 === 0 ? 20 : 3000);
    while (performance.now() < until && element.state !== "live") {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    open.lives += element.state === "live" ? 1 : 0;
    element.remove();
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
  open.intervals = running.size;
  return open;
}

scene("30 elements that come and go leave nothing behind", "h264", async (page) => {
  const publisher = await lab.publish("h264", "cycles");
  await show(page, of("cycles"));
  await reaches(page, "live");
  const { lives, ...left } = await page.evaluate(comeAndGo, of("cycles"));
  assert.deepEqual(left, { sockets: 0, decoders: 0, frames: 0, intervals: 0 });
  assert.ok(lives >= 15, `${lives} of 20 were live`);
  await publisher.stop();
});

/** What a viewer that nothing holds up is behind on this machine. @param {any} page */
async function usualAge(page) {
  const ages = [];
  while (ages.length < 20) {
    ages.push(await until(() => page.evaluate(glassAge), "a time code"));
    await page.waitForTimeout(50); /* another picture */
  }
  return quantile(ages, 0.7);
}

for (const [player, kind] of [["webcodecs", "h264"], ["jsmpeg", "mpeg1"], ["jpeg", "jpeg"]]) {
  scene(`${player} is with the present soon after the network stood still`, kind, async (page) => {
    /* The page's WebSocket goes through it; the publisher's does not. */
    const between = await network(lab.relay.port);
    const topic = `stalled-${player}`;
    const publisher = await lab.publish(kind, topic);
    await page.evaluate((/** @type {string} */ port) => {
      const Socket = window.WebSocket;
      window.WebSocket = class extends Socket {
        constructor(uri, ...words) {
          super(uri.replace(/:\d+\//, `:${port}/`), ...words);
        }
      };
    }, String(between.port));
    await show(page, { ...of(topic), player });
    await reaches(page, "live");
    const usual = await usualAge(page);
    between.hold(true);
    await page.waitForTimeout(3000); /* of standing still */
    const lateness = new Lateness();
    between.hold(false);
    const began = performance.now();
    await until(async () => {
      const age = await page.evaluate(glassAge);
      return age !== null && age < usual + 250;
    }, "the present");
    const backMs = Math.round(performance.now() - began);
    report(`stall-${player}`, { presentAfterMs: backMs });
    await publisher.stop();
    between.close();
    assert.ok(backMs < 2500 * SCALE + lateness.marginMs(), `${backMs} ms`);
  });
}
