/* A started `relay serve`, tokens that its code did not make, other servers, and waiting. */
import { spawn } from "node:child_process";
import { createHash, createHmac, randomBytes, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { connect } from "../src/index.js";

const BUILD = process.env.RELAY_BUILD ?? "";
const AUDIENCE = "https://relay.test/access";
export const SCALE = Number(process.env.RELAY_TEST_TIME_SCALE || 1);
export const WAIT_MS = 10_000 * SCALE;

/** @param {() => unknown} condition @param {string} what @returns {Promise<any>} */
export async function until(condition, what, ms = WAIT_MS) {
  const deadline = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) {
      return value;
    }
    if (Date.now() > deadline) {
      throw new Error(`waited ${ms} ms for ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createTcpServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/** How late this machine wakes a timer: what is promised in milliseconds is judged on a busy one by
 * what it would be on a quiet one. */
export class Lateness {
  worst = 0;
  before = performance.now();
  timer = setInterval(() => {
    const now = performance.now();
    this.worst = Math.max(this.worst, now - this.before - 5);
    this.before = now;
  }, 5);

  /** For a handful of wakes in a row, each of which may be as late. */
  marginMs() {
    clearInterval(this.timer);
    return 5 * this.worst;
  }
}

/** @param {unknown} value */
const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

export class Relay {
  /** @type {import("node:child_process").ChildProcess | null} */
  process = null;
  output = "";
  secret = randomBytes(16).toString("hex");
  port = 0;
  /** @type {Record<string, string>} */
  options = {};

  /** @param {Record<string, string>} [options] */
  static async start(options = {}) {
    const relay = new Relay();
    relay.options = options;
    relay.port = await freePort();
    await relay.launch();
    return relay;
  }

  get access() {
    return `http://127.0.0.1:${this.port}`;
  }

  async launch() {
    const port = String(this.port);
    const environment = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith("RELAY_")));
    this.output = "";
    this.process = spawn(join(BUILD, "relay"), ["serve"], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...environment, RELAY_AUDIENCE: AUDIENCE, RELAY_URL: `ws://127.0.0.1:${port}`,
        RELAY_SECRET: this.secret, RELAY_PORT_ACCESS: port, RELAY_PORT_RELAY: port,
        RELAY_BIND_ADDRESS: "127.0.0.1", RELAY_LOG_FILE: "stdout", RELAY_STORE: "memory",
        RELAY_LOG_LEVEL: "info", RELAY_WORKERS: "2", ...this.options },
    });
    const take = (/** @type {Buffer} */ chunk) => (this.output += chunk);
    this.process.stdout?.on("data", take);
    this.process.stderr?.on("data", take);
    await until(() => {
      if (this.process?.exitCode !== null) {
        throw new Error(`relay serve ended: ${this.output}`);
      }
      return this.output.includes('"listening"');
    }, "relay serve to listen");
  }

  /** @param {NodeJS.Signals} [signal] */
  async stop(signal = "SIGTERM") {
    const child = this.process;
    this.process = null;
    if (child && child.exitCode === null && child.signalCode === null) {
      await new Promise((resolve) => {
        child.once("exit", resolve);
        child.kill(signal);
      });
    }
  }

  /**
   * @param {{topic?: string, scopes?: string[], lifetime?: number, booking_id?: string}} [claims]
   */
  token({ topic = "t0", scopes = ["read", "write"], lifetime = 300, ...more } = {}, secret = "") {
    const now = Math.floor(Date.now() / 1000);
    const claims = { booking_id: randomUUID(), topic, prefix: "session", scopes, aud: [AUDIENCE],
      iat: now - 1, nbf: now - 1, exp: now + lifetime, ...more };
    const text = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
    const signature = createHmac("sha256", secret || this.secret).update(text);
    return `${text}.${signature.digest("base64url")}`;
  }

  /** @param {string} booking */
  async deny(booking) {
    const exp = Math.floor(Date.now() / 1000) + 300;
    const answer = await fetch(`${this.access}/bids/deny?bid=${booking}&exp=${exp}`, {
      method: "POST", headers: { Authorization: this.token({ scopes: ["relay:admin"] }) } });
    if (answer.status !== 204) {
      throw new Error(`deny: ${answer.status} ${await answer.text()}`);
    }
  }

  /** @param {Partial<import("../src/connection.js").ConnectOptions>} [options] */
  connect(options = {}) {
    return connect({ access: this.access, topic: "t0", token: this.token(), ...options });
  }
}

/** Connections whose messages, states and faults are kept. */
export class Recorder {
  /** @param {import("../src/connection.js").RelayConnection} connection */
  constructor(connection) {
    this.connection = connection;
    /** @type {(string | ArrayBuffer)[]} */
    this.messages = [];
    /** @type {import("../src/connection.js").StateDetail[]} */
    this.states = [];
    connection.addEventListener("message", (event) =>
      this.messages.push(/** @type {MessageEvent} */ (event).data));
    connection.addEventListener("state", (event) =>
      this.states.push(/** @type {CustomEvent} */ (event).detail));
  }

  open() {
    return until(() => this.connection.state === "open", "an open connection");
  }

  ended() {
    return until(() => this.connection.state === "ended", "the end of the connection");
  }

  /** @param {string} kind */
  fault(kind) {
    return until(() => this.states.find(({ error }) => error?.kind === kind)?.error, kind);
  }
}

/**
 * A server that answers the access API in its own way.
 *
 * @param {import("node:http").RequestListener} answer
 */
export async function fakeAccess(answer) {
  const server = createServer(answer);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    access: `http://127.0.0.1:${port}`,
    close: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}

/**
 * A server that gives a URI and opens the WebSocket with relay.v1, for what no relay would send.
 *
 * @param {((socket: import("node:net").Socket) => void) | null} onOpen null: it does not open it
 */
export async function fakeRelay(onOpen) {
  let upgrades = 0;
  /** @type {Set<import("node:stream").Duplex>} */
  const sockets = new Set();
  const server = createServer((request, response) => {
    response.writeHead(200, { "Content-Type": "application/json" })
      .end(JSON.stringify({ uri: `ws://${request.headers.host}/session/t0?code=1` }));
  });
  server.on("upgrade", (request, socket) => {
    upgrades++;
    sockets.add(socket);
    socket.on("error", () => {});
    const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}`
      + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
    if (onOpen) {
      socket.write(["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket",
        "Connection: Upgrade", `Sec-WebSocket-Accept: ${accept}`,
        "Sec-WebSocket-Protocol: relay.v1", "", ""].join("\r\n"));
      onOpen(/** @type {import("node:net").Socket} */ (socket));
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    access: `http://127.0.0.1:${port}`,
    upgrades: () => upgrades,
    close: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
      sockets.forEach((socket) => socket.destroy());
    }),
  };
}

/** The package ws of the distribution, or null. @returns {any} */
export function nodeWs() {
  try {
    return createRequire("/usr/share/nodejs/")("./ws");
  } catch {
    return null;
  }
}
