/* A laboratory for tests in a browser: a relay with live publishers, whose pictures carry the time
 * at which they were made, pages served from another origin, and Chromium. */
import { execFileSync, spawn } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync,
  writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { freePort, Lateness, Relay, SCALE, until, WAIT_MS } from "../relay/test/support.js";
import { Succession } from "./succession.js";

export { Lateness, Relay, SCALE, until, WAIT_MS };

const here = dirname(fileURLToPath(import.meta.url));
const BUILD = process.env.RELAY_BUILD ?? "";
const BROWSER = process.env.RELAY_TEST_BROWSER ?? "";
const ARTEFACTS = join(BUILD, "browser");
export const [WIDTH, HEIGHT, RATE] = [640, 360, 25];
const BLOCK = 20; /* a bit of the time code, in pixels */

/** @param {string} program */
const has = (program) => (process.env.PATH ?? "").split(":")
  .some((folder) => existsSync(join(folder, program)));

/** Why a kind of publisher cannot be had, or false. @param {string} kind */
export function whyNot(kind) {
  if (!BROWSER) {
    return "Chromium is not installed";
  }
  if (kind === "mpeg1" || kind === "h265" || kind === "mpeg2"
    || kind === "h264-aac" || kind === "mpeg1-mp2" || kind === "h264-ffmpeg") {
    return has("ffmpeg") ? false : "ffmpeg is not installed";
  }
  if (SINKS[kind]) {
    return has("gst-launch-1.0") && existsSync(join(BUILD, "gst/libgstrelay.so")) ? false
      : "relaysink or gst-launch-1.0 is not here";
  }
  return false;
}

/* Pictures */

/** The time as 24 bits of milliseconds and 8 of a check. @param {number} ms */
function codeOf(ms) {
  const low = ms % 2 ** 24;
  return low * 256 + ((low & 255) ^ ((low >> 8) & 255) ^ ((low >> 16) & 255));
}

/** A picture in I420: the time code above, a bar that moves below. @param {number} ms */
function picture(ms) {
  const frame = Buffer.alloc((WIDTH * HEIGHT * 3) / 2, 128);
  const code = codeOf(ms);
  const row = Buffer.alloc(WIDTH);
  for (let bit = 0; bit < 32; bit++) {
    row.fill(Math.floor(code / 2 ** (31 - bit)) % 2 ? 235 : 16, bit * BLOCK, (bit + 1) * BLOCK);
  }
  const bar = Math.floor(ms / 8) % (WIDTH - 60);
  for (let y = 0; y < HEIGHT; y++) {
    if (y < 32) {
      row.copy(frame, y * WIDTH);
    } else {
      frame.fill(60 + Math.floor((y * 120) / HEIGHT), y * WIDTH, (y + 1) * WIDTH);
      frame.fill(220, y * WIDTH + bar, y * WIDTH + bar + 60);
    }
  }
  return frame;
}

/* In a page: how old what a relay-video shows is, in milliseconds, by its time code; null where it
 * cannot be read. */
export function glassAge() {
  const element = /** @type {any} */ (document.querySelector("relay-video"));
  const source = element.video.hidden ? element.canvas : element.video;
  const scratch = (/** @type {any} */ (window)).scratch ??= document.createElement("canvas");
  [scratch.width, scratch.height] = [640, 20];
  const context = scratch.getContext("2d", { willReadFrequently: true });
  context.drawImage(source, 0, 0, 640, 20, 0, 0, 640, 20);
  const { data } = context.getImageData(0, 10, 640, 1);
  let code = 0;
  for (let bit = 0; bit < 32; bit++) {
    code = code * 2 + (data[(bit * 20 + 10) * 4] > 125 ? 1 : 0);
  }
  const low = Math.floor(code / 256);
  if (code % 256 !== ((low & 255) ^ ((low >> 8) & 255) ^ ((low >> 16) & 255))) {
    return null;
  }
  return (Date.now() - low) % 2 ** 24;
}

/** @param {number[]} numbers @param {number} share */
export function quantile(numbers, share) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/* Publishers */

const X264 = "videoconvert ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 "
  + "bitrate=1500 ! mpegtsmux";
const raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", `${WIDTH}x${HEIGHT}`, "-r", `${RATE}`,
  "-i", "-"];
/** Of relaysink. @type {Record<string, string>} */
const SINKS = {
  "h264": X264,
  "h264-long": X264.replace("key-int-max=25", "key-int-max=500"), /* 20 s */
  "jpeg": "jpegenc quality=90",
};
const TONE = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"];
const FFMPEG_X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25"];
/** Of ffmpeg. @type {Record<string, string[]>} */
const ENCODERS = {
  "h264-ffmpeg": FFMPEG_X264,
  "h264-aac": [...TONE, ...FFMPEG_X264, "-c:a", "aac"],
  "mpeg1-mp2": [...TONE, "-c:v", "mpeg1video", "-b:v", "2M", "-g", "12", "-bf", "0", "-c:a", "mp2"],
  "mpeg1": ["-c:v", "mpeg1video", "-b:v", "2M", "-g", "12", "-bf", "0"],
  "mpeg2": ["-c:v", "mpeg2video", "-b:v", "2M", "-g", "12", "-bf", "0"],
  "h265": ["-c:v", "libx265", "-preset", "ultrafast", "-tune", "zerolatency", "-x265-params",
    "log-level=none"],
};

/** Sends pictures of the time in real time to a program's standard input. */
class Camera {
  /** @param {import("node:child_process").ChildProcess} child */
  constructor(child) {
    this.child = child;
    const input = /** @type {import("node:stream").Writable} */ (child.stdin);
    input.on("error", () => {});
    const began = performance.now();
    let sent = 0;
    this.timer = setInterval(() => {
      if ((performance.now() - began) * RATE / 1000 < sent || input.writableLength > 0) {
        return;
      }
      sent = Math.max(sent + 1, Math.floor((performance.now() - began) * RATE / 1000));
      input.write(picture(Date.now()));
    }, 4);
  }

  async stop() {
    clearInterval(this.timer);
    const { child } = this;
    if (child.exitCode === null && child.signalCode === null) {
      await new Promise((resolve) => {
        child.once("exit", resolve);
        child.kill("SIGKILL");
      });
    }
  }
}

/** @param {LabRelay} relay @param {string} name @param {string} text */
function keep(relay, name, text) {
  const path = join(relay.folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

/**
 * A live publisher of a topic.
 *
 * @param {Lab} lab @param {string} kind @param {string} topic
 */
function publish(lab, kind, topic) {
  const { relay } = lab;
  const log = createWriteStream(join(relay.folder, `${topic}.log`));
  if (SINKS[kind]) {
    const token = keep(relay, `${topic}.token`, relay.token({ topic, scopes: ["write"] }));
    const authority = lab.tls ? `tls-ca-file=${lab.tls.authority}` : "";
    const pipeline = `fdsrc fd=0 blocksize=${(WIDTH * HEIGHT * 3) / 2} ! rawvideoparse `
      + `width=${WIDTH} height=${HEIGHT} format=i420 framerate=${RATE}/1 ! `
      + `${SINKS[kind]} ! relaysink `
      + `location=${relay.access}/session/${topic} token-file=${token} sync=false ${authority}`;
    const child = spawn("gst-launch-1.0", ["-q", ...pipeline.trim().split(/ +/)], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, GST_PLUGIN_PATH: join(BUILD, "gst"),
        GST_REGISTRY: join(ARTEFACTS, "registry.bin") },
    });
    child.stdout.pipe(log);
    child.stderr.pipe(log);
    return new Camera(child);
  }
  const child = spawn("ffmpeg", ["-v", "error", "-fflags", "nobuffer", "-probesize", "32",
    "-analyzeduration", "0", ...raw, ...ENCODERS[kind], "-flush_packets", "1", "-muxdelay", "0",
    "-f", "mpegts", "-"], { stdio: ["pipe", "pipe", "pipe"] });
  child.stderr.pipe(log);
  const publisher = relay.connect({ topic, token: relay.token({ topic, scopes: ["write"] }),
    access: lab.publisherAccess });
  child.stdout.on("data", (chunk) => publisher.send(new Uint8Array(chunk)));
  child.on("exit", () => publisher.close());
  return new Camera(child);
}

/* Certificates */

/** An authority and a certificate for 127.0.0.1, by openssl. @param {string} folder */
function makeCertificates(folder) {
  const path = (/** @type {string} */ name) => join(folder, name);
  const openssl = (/** @type {string[]} */ ...words) =>
    execFileSync("openssl", words, { stdio: ["ignore", "ignore", "pipe"] });
  const fresh = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...fresh, "-days", "30", "-subj", "/CN=relay test authority", "-keyout",
    path("authority.key"), "-out", path("authority.pem"));
  openssl("req", ...fresh, "-subj", "/CN=127.0.0.1", "-keyout", path("server.key"), "-addext",
    "subjectAltName=IP:127.0.0.1", "-out", path("server.csr"));
  openssl("x509", "-req", "-in", path("server.csr"), "-CA", path("authority.pem"), "-CAkey",
    path("authority.key"), "-days", "30", "-copy_extensions", "copy", "-out", path("server.pem"));
  const key = new X509Certificate(readFileSync(path("server.pem"))).publicKey
    .export({ type: "spki", format: "der" });
  return { authority: path("authority.pem"), certificate: path("server.pem"),
    key: path("server.key"), hash: createHash("sha256").update(key).digest("base64") };
}

/* The laboratory */

class LabRelay extends Succession {
  /** @param {string} folder @param {boolean} tls */
  constructor(folder, tls) {
    super();
    this.folder = folder;
    this.tls = tls;
  }

  get access() {
    return `http${this.tls ? "s" : ""}://127.0.0.1:${this.port}`;
  }
}

const PAGE = `<!doctype html><meta charset="utf-8"><title>test</title>
<link rel="icon" href="data:,"><script src="/page.js"></script><body style="margin:0"></body>`;

export class Lab {
  /** @type {{stop: () => Promise<void>}[]} */
  publishers = [];
  /** @type {string[]} what pages complained of */
  complaints = [];
  /** @type {ReturnType<typeof makeCertificates> | null} */
  tls = null;
  publisherAccess = "";

  /**
   * @param {{tls?: boolean, options?: Record<string, string>, entry?: string}} [wishes]
   */
  static async open({ tls = false, options = {}, entry = "page.js" } = {}) {
    const lab = new Lab();
    const folder = mkdtempSync(join(tmpdir(), "relay-browser-"));
    lab.folder = folder;
    mkdirSync(ARTEFACTS, { recursive: true });
    lab.tls = tls ? makeCertificates(folder) : null;
    lab.relay = new LabRelay(folder, tls);
    lab.relay.port = await freePort();
    lab.relay.options = { RELAY_WATCH_PAGE: "true", RELAY_CORS_ORIGINS: "*",
      RELAY_URL: lab.relay.access.replace("http", "ws"),
      ...(lab.tls ? { RELAY_TLS_CERT: lab.tls.certificate, RELAY_TLS_KEY: lab.tls.key } : {}),
      ...options };
    await lab.relay.launch();
    lab.publisherAccess = lab.relay.access;
    const bundle = await build({ entryPoints: [join(here, entry)], bundle: true, write: false,
      format: "iife", target: "es2022" });
    lab.script = bundle.outputFiles[0].text;
    await lab.#servePages();
    lab.browser = await chromium.launch({ executablePath: BROWSER, args: ["--no-sandbox",
      "--disable-gpu", "--disable-dev-shm-usage",
      ...(lab.tls ? [`--ignore-certificate-errors-spki-list=${lab.tls.hash}`] : [])] });
    return lab;
  }

  folder = "";
  script = "";
  /** @type {LabRelay} */
  relay = /** @type {any} */ (null);
  /** @type {any} */
  browser = null;
  /** @type {any} */
  pages = null;

  async #servePages() {
    this.pages = createServer((request, response) => {
      const isScript = request.url === "/page.js";
      response.writeHead(200, { "Content-Type": isScript ? "text/javascript" : "text/html" });
      response.end(isScript ? this.script : PAGE);
    });
    await new Promise((resolve) => this.pages.listen(0, "127.0.0.1", () => resolve(undefined)));
  }

  get origin() {
    return `http://127.0.0.1:${this.pages.address().port}`;
  }

  /** Starts a live topic. @param {string} kind */
  async publish(kind, topic = kind) {
    const publisher = publish(this, kind, topic);
    this.publishers.push(publisher);
    return publisher;
  }

  /** A page; what it complains of is collected. @param {string} [url] @param {object} [options] */
  async page(url = this.origin, options = {}) {
    const context = await this.browser.newContext({ viewport: { width: 800, height: 600 },
      ...options });
    const page = await context.newPage();
    page.on("pageerror", (/** @type {Error} */ error) =>
      this.complaints.push(`${error.stack ?? error}`));
    await page.goto(url);
    return page;
  }

  /** @param {any} page @param {string} name */
  async screenshot(page, name) {
    await page.screenshot({ path: join(ARTEFACTS, `${name}.png`) });
  }

  /** The address of the relay's own page. @param {string} topic @param {object} [claims] */
  watchUrl(topic, claims = {}) {
    const token = this.relay.token({ topic, scopes: ["read"], ...claims });
    return `${this.relay.access}/watch#topic=${topic}&token=${token}`;
  }

  async close() {
    await this.browser?.close();
    await Promise.all(this.publishers.map((publisher) => publisher.stop()));
    await this.relay?.stop();
    await new Promise((resolve) => this.pages.close(resolve));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * Figures for people, in a file beside the screenshots.
 *
 * @param {string} name @param {object} figures
 */
export function report(name, figures) {
  const path = join(ARTEFACTS, "figures.json");
  const before = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {};
  writeFileSync(path, `${JSON.stringify({ ...before, [name]: figures }, null, 2)}\n`);
}

/* Tests in a laboratory */

/** The one that the tests of a file share. @type {Lab} */
export let lab;

/** Opens it before the tests of the file that calls this, and closes it after them. */
export function shareLab() {
  before(async () => {
    if (!whyNot("")) {
      lab = await Lab.open();
    }
  });
  after(() => lab?.close());
}

/**
 * A test that needs a kind of publisher, skipped with the reason where it cannot be had.
 *
 * @param {string} name @param {string} kind @param {(context: any) => Promise<void>} run
 */
export function labTest(name, kind, run) {
  test(name, async (context) => {
    const reason = whyNot(kind);
    if (reason) {
      context.skip(reason);
      return;
    }
    await run(context);
  });
}
