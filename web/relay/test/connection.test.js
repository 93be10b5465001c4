/* connect() against a real `relay serve`, in Node: how a connection begins, stays and ends. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { RelayError } from "../src/index.js";
import { fakeAccess, fakeRelay, freePort, Lateness, nodeWs, Recorder, Relay, SCALE, until,
  WAIT_MS } from "./support.js";

/** @type {Relay} */
let relay;

before(async () => {
  relay = await Relay.start();
});
after(() => relay.stop());

/** @param {import("node:test").TestContext} context */
function record(context, options = {}, server = relay) {
  const connection = server.connect(options);
  context.after(() => connection.close());
  return new Recorder(connection);
}

describe("messages", () => {
  test("text and binary keep their type and bytes", async (context) => {
    const [sender, receiver] = [record(context), record(context)];
    await Promise.all([sender.open(), receiver.open()]);
    assert.equal(sender.connection.send("grüße"), true);
    assert.equal(sender.connection.send(new Uint8Array([0, 1, 255])), true);
    await until(() => receiver.messages.length === 2, "two messages");
    assert.equal(receiver.messages[0], "grüße");
    const bytes = /** @type {ArrayBuffer} */ (receiver.messages[1]);
    assert.deepEqual([...new Uint8Array(bytes)], [0, 1, 255]);
    assert.equal(receiver.connection.canSend, true);
  });

  test("nothing is queued while there is no connection", async (context) => {
    const receiver = record(context);
    await receiver.open();
    const sender = record(context);
    assert.equal(sender.connection.send("too early"), false);
    await sender.open();
    sender.connection.send("in time");
    await until(() => receiver.messages.length === 1, "a message");
    assert.deepEqual(receiver.messages, ["in time"]);
    assert.equal(sender.connection.statistics.refusedSends, 1);
  });

  test("an iterator takes them in order and ends with the connection", async (context) => {
    const [sender, receiver] = [record(context), record(context)];
    await Promise.all([sender.open(), receiver.open()]);
    const taking = (async () => {
      const taken = [];
      for await (const message of receiver.connection) {
        taken.push(message);
        if (taken.length === 3) {
          receiver.connection.close();
        }
      }
      return taken;
    })();
    ["a", "b", "c"].forEach((text) => sender.connection.send(text));
    assert.deepEqual(await taking, ["a", "b", "c"]);
  });

  test("a paused connection gets none, and goes on when it is resumed", async (context) => {
    const [sender, receiver] = [record(context), record(context)];
    await Promise.all([sender.open(), receiver.open()]);
    receiver.connection.pause();
    await until(() => receiver.connection.state === "paused", "the pause");
    sender.connection.send("unheard");
    receiver.connection.resume();
    await receiver.open();
    sender.connection.send("heard");
    await until(() => receiver.messages.length > 0, "a message");
    assert.deepEqual(receiver.messages, ["heard"]);
  });
});

describe("what ends a connection", () => {
  test("a denied booking ends it at once, and no other attempt is made", async (context) => {
    const token = relay.token({ booking_id: "denied-1" });
    const viewer = record(context, { token });
    await viewer.open();
    await relay.deny("denied-1");
    await viewer.ended();
    assert.equal(viewer.connection.error?.kind, "denied");
    assert.equal(viewer.connection.error?.closeCode, 4403);
    assert.match(viewer.connection.error?.message ?? "", /cancelled/);
    assert.equal(viewer.connection.statistics.opened, 1);

    const later = record(context, { token });
    await later.ended();
    assert.equal(later.connection.error?.kind, "denied");
    assert.equal(later.connection.error?.status, 400);
  });

  test("an expired token without a function for another one ends it", async (context) => {
    const viewer = record(context, { token: relay.token({ lifetime: 2 }) });
    await viewer.open();
    await viewer.ended();
    assert.equal(viewer.connection.error?.kind, "expired");
    assert.equal(viewer.connection.statistics.opened, 1);
  });

  test("a token of another relay is refused with the relay's reason", async (context) => {
    const viewer = record(context, { token: relay.token({}, "another secret") });
    await viewer.ended();
    assert.equal(viewer.connection.error?.kind, "refused");
    assert.equal(viewer.connection.error?.status, 401);
    assert.match(viewer.connection.error?.message ?? "", /refuses the token: \S/);
  });

  test("a token of another topic is refused", async (context) => {
    const viewer = record(context, { token: relay.token({ topic: "t1" }) });
    await viewer.ended();
    assert.match(viewer.connection.error?.message ?? "", /Token Wrong Topic/);
  });

  test("an AbortSignal ends it in every state", async (context) => {
    const aborted = record(context, { signal: AbortSignal.abort() });
    assert.equal(aborted.connection.state, "ended");
    for (const wait of [() => undefined, (/** @type {Recorder} */ each) => each.open()]) {
      const controller = new AbortController();
      const viewer = record(context, { signal: controller.signal });
      await wait(viewer);
      controller.abort();
      await viewer.connection.finished;
      assert.equal(viewer.connection.state, "ended");
      assert.equal(viewer.connection.error, null);
    }
  });

  test("a URL that is none is a mistake of the page, told at once", () => {
    assert.throws(() => relay.connect({ access: "http://", topic: "t0" }), RelayError);
    assert.throws(() => relay.connect({ topic: undefined }), /no topic/);
  });
});

describe("what does not end it", () => {
  test("a token about to expire is replaced while the connection goes on", async (context) => {
    /** @type {string[]} */
    const reasons = [];
    const expires = Date.now() + 3000;
    const viewer = record(context, {
      token: async (/** @type {import("../src/connection.js").TokenRequest} */ request) => {
        reasons.push(request.reason);
        return relay.token({ lifetime: reasons.length === 1 ? 2 : 300, booking_id: "replaced" });
      },
    });
    const sender = record(context);
    await Promise.all([viewer.open(), sender.open()]);
    await until(() => Date.now() > expires, "the end of the first token");
    await viewer.open();
    sender.connection.send("after");
    await until(() => viewer.messages.length === 1, "a message after it");
    assert.deepEqual(reasons, ["start", "expired"]);
    assert.equal(viewer.connection.statistics.opened, 1);
  });

  test("a token that cannot replace it there is used for the next one", async (context) => {
    let asked = 0;
    const viewer = record(context, {
      token: async () => relay.token({ lifetime: ++asked === 1 ? 2 : 300 }), /* of other bookings */
    });
    await viewer.open();
    await until(() => viewer.connection.statistics.opened === 2, "the next connection");
    await viewer.open();
    assert.ok(asked >= 2 && asked <= 3, `${asked} tokens`);
    assert.ok(!viewer.states.some(({ state }) => state === "ended"));
  });

  test("a token that the relay has not looked at is offered again", async (context) => {
    let asked = 0;
    /** @type {Blob[]} */
    const offers = [];
    class Hasty extends WebSocket {
      constructor(/** @type {ConstructorParameters<typeof WebSocket>} */ ...words) {
        super(...words);
        const token = new Uint8Array([0x47, 0, 0, 0, 0x78]);
        this.addEventListener("open", () => [token, token].forEach((each) => super.send(each)));
      }

      send(/** @type {Blob | ArrayBuffer} */ data) {
        super.send(data);
        offers.push(...data instanceof Blob ? [data] : []);
      }
    }
    const server = await Relay.start();
    context.after(() => server.stop());
    const viewer = record(context, { WebSocket: Hasty, token: async () => {
      asked++;
      return server.token();
    } }, server);
    await until(() => server.output.includes('"token renewed"'), "the relay to take it");
    assert.equal(asked, 1);
    assert.ok(offers.length > 0);
    assert.equal(viewer.connection.statistics.opened, 1);
  });

  test("a rejection of the token's function is one failed try", async (context) => {
    let asked = 0;
    const viewer = record(context, {
      token: async () => {
        if (++asked < 3) {
          throw new Error("the booking system is away");
        }
        return relay.token();
      },
    });
    const error = await viewer.fault("token");
    assert.match(error.message, /the booking system is away/);
    await viewer.open();
    assert.equal(asked, 3);
  });

  test("a relay that is killed is found again within 1.5 s of its return", async (context) => {
    const server = await Relay.start();
    context.after(() => server.stop());
    const viewer = record(context, {}, server);
    await viewer.open();
    await server.stop("SIGKILL");
    await viewer.fault("unreachable");
    const lateness = new Lateness();
    await server.launch();
    const returned = performance.now();
    await viewer.open();
    const tookMs = performance.now() - returned;
    assert.ok(tookMs < 1500 * SCALE + lateness.marginMs(), `${tookMs} ms`);
    assert.equal(viewer.connection.statistics.opened, 2);
  });

  test("nothing listens: it says so and goes on trying", async (context) => {
    const viewer = record(context, { access: `http://127.0.0.1:${await freePort()}` });
    const error = await viewer.fault("unreachable");
    assert.match(error.message, /^no relay answers at 127\.0\.0\.1:/);
    await until(() => viewer.states.filter(({ state }) => state === "waiting").length > 2, "tries");
    assert.equal(viewer.connection.state === "ended", false);
  });

  test("an answer of HTML is told as that of a proxy, whatever its status", async (context) => {
    for (const status of [200, 401, 502]) {
      const proxy = await fakeAccess((_, response) => {
        response.writeHead(status, { "Content-Type": "text/html" }).end("<h1>Hello</h1>");
      });
      context.after(proxy.close);
      const viewer = record(context, { access: proxy.access });
      const error = await viewer.fault("not-a-relay");
      assert.match(error.message, /a proxy is in between/);
      assert.equal(error.isFinal, false);
    }
  });

  test("Retry-After is kept to", async (context) => {
    const full = await fakeAccess((_, response) => {
      response.writeHead(503, { "Content-Type": "application/json", "Retry-After": "7" })
        .end('{"code":"503","message":"crowded"}\n');
    });
    context.after(full.close);
    const viewer = record(context, { access: full.access });
    const error = await viewer.fault("busy");
    assert.match(error.message, /crowded/);
    const waiting = viewer.states.find(({ state }) => state === "waiting");
    assert.equal(waiting?.retryInMs, 7000);
  });
});

describe("relay.v1", () => {
  test("tells the round trip, and when a message was where", async (context) => {
    const [sender, receiver] = [record(context), record(context)];
    /** @type {any[]} */
    const envelopes = [];
    receiver.connection.addEventListener("message", (event) =>
      envelopes.push(/** @type {any} */ (event).envelope));
    await Promise.all([sender.open(), receiver.open()]);
    await until(() => sender.connection.roundTripMs && receiver.connection.roundTripMs, "clocks");
    assert.equal(sender.connection.send("grüße"), true);
    assert.equal(sender.connection.send(new Uint8Array([7, 8])), true);
    await until(() => receiver.messages.length === 2, "two messages");
    assert.equal(receiver.messages[0], "grüße");
    assert.deepEqual([...new Uint8Array(/** @type {ArrayBuffer} */ (receiver.messages[1]))],
      [7, 8]);
    const [{ sent, received, forwarded, arrived, sequence }, second] = envelopes;
    assert.equal(second.sequence, sequence + 1);
    const slackUs = 1000 * (sender.connection.roundTripMs ?? 0) + 2000;
    assert.ok(sent <= received + slackUs && received <= forwarded, `${sent} ${received}`);
    assert.ok(forwarded <= arrived + slackUs && arrived - sent < 1e7, `${forwarded} ${arrived}`);
  });

  test("is done without where the relay does not speak it", async (context) => {
    const server = await Relay.start({ RELAY_SUBPROTOCOLS: "none" });
    context.after(() => server.stop());
    const [sender, receiver] = [record(context, {}, server), record(context, {}, server)];
    await Promise.all([sender.open(), receiver.open()]);
    sender.connection.send("plain");
    await until(() => receiver.messages.length === 1, "a message");
    assert.deepEqual(receiver.messages, ["plain"]);
    assert.equal(receiver.connection.roundTripMs, null);
    assert.equal(receiver.connection.statistics.opened, 1);
  });
});

describe("a server that means harm", () => {
  test("an answer without an end is not waited for", async (context) => {
    let isGone = false;
    const server = await fakeAccess((_, response) => {
      response.writeHead(200, { "Content-Type": "application/json" });
      const timer = setInterval(() => response.write("x".repeat(16_384)), 1);
      response.on("close", () => {
        clearInterval(timer);
        isGone = true;
      });
    });
    context.after(server.close);
    const viewer = record(context, { access: server.access });
    await viewer.fault("not-a-relay");
    await until(() => isGone, "the end of the request");
  });

  test("one that ends each connection for its token makes no storm", async (context) => {
    let asked = 0;
    const server = await fakeRelay((socket) => socket.end(Buffer.from([0x88, 2, 0x11, 0x31])));
    context.after(server.close);
    const viewer = record(context, { access: server.access, token: async () => {
      asked++;
      return relay.token();
    } });
    await until(() => viewer.states.filter(({ state }) => state === "waiting").length >= 2,
      "two pauses", 3 * WAIT_MS); /* of 5 s and more */
    assert.equal(viewer.states.find(({ error }) => error)?.error?.closeCode, 4401);
    assert.ok(asked <= 5, `${asked} tokens`);
  });

  test("one whose clock has each token about to expire makes no storm", async (context) => {
    let asked = 0;
    const expiry = Buffer.from([0x82, 12, 0x48, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    const server = await fakeRelay((socket) => {
      const timer = setInterval(() => socket.write(expiry), 20);
      socket.on("close", () => clearInterval(timer));
    });
    context.after(server.close);
    const viewer = record(context, { access: server.access, token: async () => {
      asked++;
      return relay.token();
    } });
    await viewer.open();
    await new Promise((resolve) => setTimeout(resolve, 500)); /* 25 of them */
    assert.equal(asked, 1);
  });

  test("one that puts each token off is offered the same again, not sooner than asked",
    async (context) => {
      /** @type {string[]} */
      const reasons = [];
      /** @type {{at: number, data: Blob}[]} */
      const offers = [];
      const expiry = (/** @type {number} */ result, /** @type {number} */ inS) => {
        const frame = Buffer.from([0x82, 12, 0x48, result, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        frame.writeBigUInt64BE(BigInt(Math.ceil(Date.now() / 1000) + inS), 6);
        return frame;
      };
      /** @type {import("node:net").Socket[]} */
      const sockets = [];
      const server = await fakeRelay((socket) => {
        sockets.push(socket);
        socket.write(expiry(0, 1));
      });
      context.after(server.close);
      class Watched extends WebSocket {
        send(/** @type {Blob | ArrayBuffer} */ data) {
          super.send(data);
          if (data instanceof Blob) {
            offers.push({ at: performance.now(), data });
            sockets[0].write(offers.length < 3 ? expiry(5, 1) : expiry(1, 300));
          }
        }
      }
      const viewer = record(context, { access: server.access, WebSocket: Watched,
        token: async (/** @type {import("../src/connection.js").TokenRequest} */ { reason }) => {
          reasons.push(reason);
          return relay.token();
        } });
      await until(() => offers.length === 3, "three offers");
      const texts = await Promise.all(offers.map(({ data }) => data.text()));
      assert.equal(new Set(texts).size, 1);
      const pauses = [1, 2].map((index) => offers[index].at - offers[index - 1].at);
      assert.ok(pauses.every((ms) => ms > 990), `${pauses}`);
      assert.deepEqual(reasons, ["start", "expired"]);
      assert.equal(viewer.connection.statistics.opened, 1);
      assert.equal(viewer.connection.token, texts[0].slice(4));
    });

  test("nothing that it sends as relay.v1 is a fault here", async (context) => {
    const server = await fakeRelay((socket) => {
      for (let round = 0; round < 2000; round++) {
        const bytes = randomBytes(round % 60);
        bytes[0] = 0x40 + (round % 16);
        socket.write(Buffer.concat([Buffer.from([0x82, bytes.length]), bytes]));
      }
      socket.write(Buffer.from([0x81, 2, 0x6f, 0x6b]));
    });
    context.after(server.close);
    const viewer = record(context, { access: server.access });
    await until(() => viewer.messages.includes("ok"), "what came after it");
    assert.equal(viewer.connection.state, "open");
    assert.doesNotThrow(() => viewer.connection.latency);
    viewer.connection.reportPlayer({ dropped: 1 });
  });
});

describe("what a page may do", () => {
  test("a function for tokens that never answers is no hindrance to the end", async () => {
    const connection = relay.connect({ token: () => new Promise(() => {}) });
    await new Promise((resolve) => setTimeout(resolve, 20)); /* it has been asked */
    connection.close();
    await connection.finished;
    assert.equal(connection.state, "ended");
  });

  test("a token that is none is refused here, and not sent", async (context) => {
    let requests = 0;
    const server = await fakeAccess((_, response) => {
      requests++;
      response.end();
    });
    context.after(server.close);
    for (const token of ["eyJ…", "a b", "x\ny", ""]) {
      const viewer = record(context, { access: server.access, token });
      await viewer.ended();
      assert.equal(viewer.connection.error?.kind, "refused");
    }
    assert.equal(requests, 0);
  });

  test("what is paused while an attempt is made is paused at once", async (context) => {
    const server = await fakeAccess(() => {}); /* never answers */
    context.after(server.close);
    const viewer = record(context, { access: server.access });
    await until(() => viewer.connection.token, "the attempt");
    viewer.connection.pause();
    await until(() => viewer.connection.state === "paused", "the pause");
    viewer.connection.resume();
    await until(() => viewer.connection.state === "connecting", "another attempt");
  });

  test("the package ws is closed before it is open without a fault", async (context) => {
    const WebSocket = nodeWs();
    if (!WebSocket) {
      context.skip("node-ws is not installed");
      return;
    }
    const server = await fakeRelay(null);
    context.after(server.close);
    const viewer = record(context, { access: server.access, WebSocket });
    await until(() => server.upgrades() > 0, "a WebSocket that is not open yet");
    viewer.connection.close();
    await viewer.connection.finished;
    await new Promise((resolve) => setTimeout(resolve, 50)); /* for what ws tells of it */
  });
});

describe("what is left behind", () => {
  const held = () => process.getActiveResourcesInfo()
    .filter((name) => /TCP|Timeout|Socket/.test(name)).length;

  test("30 connections that come and go leave no socket, timer or rejection", async (context) => {
    /** @type {unknown[]} */
    const rejections = [];
    const note = (/** @type {unknown} */ reason) => rejections.push(reason);
    process.on("unhandledRejection", note);
    context.after(() => process.off("unhandledRejection", note));
    const before = held();
    for (let round = 0; round < 30; round++) {
      const connection = relay.connect();
      if (round % 3 !== 0) {
        await until(() => connection.state === "open", "an open connection");
      }
      connection.close();
      await connection.finished;
    }
    const ticking = globalThis.setInterval;
    context.after(() => (globalThis.setInterval = ticking));
    /** @type {Set<unknown>} */
    const intervals = new Set();
    globalThis.setInterval = /** @type {any} */ ((/** @type {any[]} */ ...words) => {
      const timer = Reflect.apply(ticking, globalThis, words);
      intervals.add(timer);
      return timer;
    });
    relay.connect({ signal: AbortSignal.abort() });
    assert.ok([...intervals].every((/** @type {any} */ timer) => timer._destroyed),
      "one that never began watches nothing");
    await until(() => held() <= before + 2, `${held()} sockets and timers, before ${before}`);
    assert.deepEqual(rejections, []);
  });
});
