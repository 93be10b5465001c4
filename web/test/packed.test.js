/* The package as npm packs it: what is in it, and that a page can use it as it is. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildRelay, entries } from "../build.js";
import { Lab, labTest, SCALE } from "./lab.js";

const relay = join(dirname(fileURLToPath(import.meta.url)), "../relay");
const folder = mkdtempSync(join(tmpdir(), "relay-packed-"));

before(async () => {
  await buildRelay(join(folder, "dist"));
  for (const name of ["package.json", "README.md"]) {
    cpSync(join(relay, name), join(folder, name));
  }
  cpSync(join(relay, "../../LICENSE"), join(folder, "LICENSE"));
  const packed = JSON.parse(execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--offline"],
    { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  mkdirSync(join(folder, "unpacked"));
  const { filename } = Array.isArray(packed) ? packed[0] : Object.values(packed)[0];
  execFileSync("tar", ["-xzf", filename, "-C", "unpacked"], { cwd: folder });
});
after(() => rmSync(folder, { recursive: true, force: true }));

const unpacked = join(folder, "unpacked/package");

test("it has the entry points with their declarations, and nothing else", () => {
  const files = readdirSync(unpacked, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile()).map(({ name }) => name);
  const meant = new Set(["package.json", "README.md", "LICENSE",
    ...entries.flatMap((name) => [`${name}.js`, `${name}.d.ts`])]);
  for (const name of meant) {
    assert.ok(files.includes(name), `${name} is missing`);
  }
  const sources = readdirSync(join(relay, "src"));
  for (const name of files.filter((each) => !meant.has(each))) {
    const isPart = /^part-\w+\.js$/.test(name);
    assert.ok(isPart || sources.includes(name.replace(/\.d\.ts$/, ".js")), `${name} is not meant`);
  }
  const { exports } = JSON.parse(readFileSync(join(unpacked, "package.json"), "utf8"));
  for (const target of Object.values(exports)) {
    for (const path of typeof target === "string" ? [target] : Object.values(target)) {
      readFileSync(join(unpacked, path)); /* throws when it is absent */
    }
  }
});

labTest("a page uses it without a bundler", "jpeg", async () => {
  const lab = await Lab.open();
  const server = createServer((request, response) => {
    const isPage = request.url === "/";
    response.writeHead(200, { "Content-Type": isPage ? "text/html" : "text/javascript" });
    response.end(isPage ? `<!doctype html><link rel="icon" href="data:,"><script type="module"
      src="/dist/video-element.js"></script><relay-video topic="packed"></relay-video>`
      : readFileSync(join(unpacked, request.url ?? "")));
  });
  try {
    await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
    await lab.publish("jpeg", "packed");
    const { port } = /** @type {any} */ (server.address());
    const page = await lab.page(`http://127.0.0.1:${port}/`);
    await page.evaluate(([src, token]) => {
      const element = document.querySelector("relay-video");
      element.setAttribute("src", src);
      element.setAttribute("token", token);
    }, [lab.relay.access, lab.relay.token({ topic: "packed", scopes: ["read"] })]);
    await page.waitForFunction(() => document.querySelector("relay-video").state === "live", null,
      { timeout: 20_000 * SCALE });
    assert.deepEqual(lab.complaints, []);
  } finally {
    server.close();
    await lab.close();
  }
});
