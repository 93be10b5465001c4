/* Prints the table of sizes for relay/README.md: each entry point with what it loads at once. */
import { gzipSync } from "node:zlib";
import { join } from "node:path";
import { build } from "esbuild";
import { entries, squeeze, styles } from "./build.js";

const here = import.meta.dirname ?? new URL(".", import.meta.url).pathname;

/* What is loaded later, when it is known to be needed, is another entry point. */
const later = {
  name: "later",
  /** @param {import("esbuild").PluginBuild} bundler */
  setup(bundler) {
    bundler.onResolve({ filter: /./ }, ({ kind, path }) =>
      kind === "dynamic-import" ? { path, external: true } : undefined);
  },
};

/** @param {string} contents */
async function sizesOf(contents) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: join(here, "relay/src") }, bundle: true, write: false,
    format: "esm", target: "es2022", minify: true, legalComments: "none",
    plugins: [later, styles],
  });
  const bytes = Buffer.from(await squeeze(outputFiles[0].text));
  return { min: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
}

/** @type {Record<string, string>} */
const names = { "index": "relay.js", "video-element": "relay.js/relay-video",
  "data-element": "relay.js/relay-data" };
const lines = ["| entry point | min | gzip |", "| --- | ---: | ---: |"];
for (const name of entries) {
  const { min, gzip } = await sizesOf(`export * from "./${name}.js";`);
  const shown = names[name] ?? `relay.js/${name.replace("player-", "player/")}`;
  lines.push(`| \`${shown}\` | ${min} | ${gzip} |`);
}
const all = await sizesOf(entries.map((name) =>
  `export * from "./${name}.js";`).join("\n"));
lines.push(`| all together | ${all.min} | ${all.gzip} |`);
process.stdout.write(`${lines.join("\n")}\n`);
