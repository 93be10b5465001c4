/* Bundles: node build.js [relay | watch]... (both). relay: the npm package's dist/; watch: the page
 * that relay serve has compiled in, web/watch/built/, which is committed. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { minify } from "terser";

const here = dirname(fileURLToPath(import.meta.url));
const target = "es2022";

export const entries = ["index", "player", "player-webcodecs", "player-mse", "player-mpegts",
  "player-jsmpeg", "player-jpeg", "ts", "data", "video-element", "data-element"];

/* The styles of the elements are texts, which a bundler leaves as they are. */
export const styles = {
  name: "styles",
  /** @param {import("esbuild").PluginBuild} bundler */
  setup(bundler) {
    bundler.onLoad({ filter: /(-element|style)\.js$/ }, async ({ path }) => {
      const [before, style, after] = readFileSync(path, "utf8").split(/(?<=STYLE = )`([^`]*)`/);
      if (after === undefined) {
        return undefined;
      }
      const { code } = await transform(style, { loader: "css", minify: true });
      return { contents: `${before}\`${code.trim()}\`${after}` };
    });
  },
};

/** What esbuild has bundled, smaller still. @param {string} text */
export async function squeeze(text) {
  const { code } = await minify(text, { module: true, ecma: 2020,
    compress: { passes: 3, pure_getters: true, unsafe_arrows: true, hoist_funs: true,
      /* what these make is shorter, and longer with gzip */
      conditionals: false, lhs_constants: false, reduce_funcs: false, sequences: false } });
  return code ?? "";
}

/** The package, with declarations unless only sizes matter. @param {string} folder */
export async function buildRelay(folder = join(here, "relay/dist"), declarations = true) {
  rmSync(folder, { recursive: true, force: true });
  const { outputFiles } = await build({
    entryPoints: entries.map((name) => join(here, `relay/src/${name}.js`)), write: false,
    outdir: folder, bundle: true, splitting: true, format: "esm", target, minify: true,
    chunkNames: "part-[hash]", external: ["mpegts.js", "@cycjimmy/jsmpeg-player"],
    legalComments: "none", plugins: [styles],
  });
  mkdirSync(folder);
  for (const { path, text } of outputFiles) {
    writeFileSync(path, await squeeze(text));
  }
  if (declarations) {
    const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
    const project = join(here, "relay/tsconfig.json");
    execFileSync(process.execPath, [tsc, "-p", project, "--outDir", folder], { stdio: "inherit" });
  }
}

/** @param {string} text */
const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/* JSMpeg without what the page's policy does not allow: a decoder in WebAssembly, inline styles. */
const jsmpeg = {
  name: "jsmpeg",
  /** @param {import("esbuild").PluginBuild} bundler */
  setup(bundler) {
    bundler.onLoad({ filter: /jsmpeg-player\.esm\.js$/ }, ({ path }) => {
      const license = readFileSync(join(dirname(path), "../LICENSE"), "utf8").trim();
      const source = readFileSync(path, "utf8");
      const contents = source.replace(/^var WASM_BINARY = .*$/m, 'var WASM_BINARY = "";')
        .replace(/^styleInject\(.*$/m, "");
      if (/^styleInject|WASM_BINARY = '/m.test(contents)) {
        throw new Error(`${path} is not as expected: is it another version?`);
      }
      return { contents: `/*! @cycjimmy/jsmpeg-player\n${license} */\n${contents}` };
    });
  },
};

/** The page as one text, and the policy that allows its script and style and no others. */
export async function makeWatch() {
  const { outputFiles } = await build({
    entryPoints: [join(here, "watch/page.js")], bundle: true, write: false, format: "esm", target,
    minify: true, legalComments: "inline", charset: "utf8", plugins: [jsmpeg, styles],
    alias: { "mpegts.js": join(here, "watch/absent.js") },
  });
  const read = (/** @type {string} */ name) => readFileSync(join(here, "watch", name), "utf8");
  const script = (await squeeze(outputFiles[0].text)).trim().replaceAll("</script", "<\\/script");
  const style = (await build({ entryPoints: [join(here, "watch/page.css")], write: false,
    minify: true, target })).outputFiles[0].text.trim();
  const page = read("page.html")
    .replace("STYLE", () => style)
    .replace("SCRIPT", () => script);
  return { page, policy: `script-src ${hash(script)}; style-src ${hash(style)}\n` };
}

export async function buildWatch(folder = join(here, "watch/built")) {
  const { page, policy } = await makeWatch();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "watch.html"), page);
  writeFileSync(join(folder, "policy.txt"), policy);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const wanted = process.argv.slice(2);
  if (wanted.length === 0 || wanted.includes("relay")) {
    await buildRelay();
    copyFileSync(join(here, "../LICENSE"), join(here, "relay/LICENSE"));
  }
  if (wanted.length === 0 || wanted.includes("watch")) {
    await buildWatch();
  }
}
