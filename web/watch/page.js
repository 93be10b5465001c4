/* The page of /watch: one topic, named with its token in the fragment of the address, where neither
 * reaches a server's log. */
import { connect, readClaims } from "../relay/src/index.js";
import "../relay/src/video-element.js";
import "../relay/src/data-element.js";

/** @param {string} id @returns {any} */
const get = (id) => document.getElementById(id);

const video = /** @type {import("../relay/src/video-element.js").RelayVideoElement} */ (
  document.querySelector("relay-video"));
const data = /** @type {import("../relay/src/data-element.js").RelayDataElement} */ (
  document.querySelector("relay-data"));

/** @type {import("../relay/src/connection.js").RelayConnection | null} */
let connection = null;

/** @type {Record<string, string>} */
const sayings = {
  connecting: "connecting …",
  open: "connected",
  paused: "paused",
  ended: "ended",
};

/* The page lies beside the sessions, whatever path a proxy puts in front of both. */
function accessUrl() {
  return location.href.replace(/[?#].*/, "").replace(/\/watch\/*$/, "");
}

/** @param {string} text */
function note(text) {
  get("note").textContent = text;
}

function showState() {
  if (!connection) {
    return;
  }
  const { state, error } = connection;
  const text = error?.message ?? sayings[state] ?? state;
  get("state").textContent = state === "waiting" ? `${text}; trying again …` : text;
  get("state").dataset.state = state;
  get("pause").textContent = state === "paused" ? "Go on" : "Pause";
  get("send").hidden = !connection.canSend || state === "ended";
  get("tools").hidden = state === "ended" && video.startMs === null;
  get("pause").hidden = state === "ended";
}

function start() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const token = wanted.get("token") ?? "";
  const topic = wanted.get("topic") ?? readClaims(token).topic ?? "";

  connection?.close();
  connection = null;
  get("ask").hidden = token !== "" && topic !== "";
  for (const id of ["video", "tools", "data", "send"]) {
    get(id).hidden = true;
  }
  if (!get("ask").hidden) {
    return;
  }
  document.title = `${topic} – relay`;
  get("topic").textContent = topic;
  connection = connect({ access: accessUrl(), topic, token });
  connection.addEventListener("state", showState);
  connection.addEventListener("message", onMessage);
  video.setAttribute("label", `Live video of ${topic}`);
  video.connection = data.connection = connection;
  get("tools").hidden = false;
  showVideo(true);
  showStatistics(wanted.has("stats"));
  showState();
}

/** @param {boolean} isShown */
function showVideo(isShown) {
  for (const id of ["video", "stats", "snapshot"]) {
    get(id).hidden = !isShown;
  }
}

/** @param {boolean} isShown */
function showStatistics(isShown) {
  video.toggleAttribute("stats", isShown);
  get("stats").setAttribute("aria-pressed", String(isShown));
}

/* A topic may send pictures, data or both: each has its place as soon as there is some. */
function onMessage(/** @type {Event} */ event) {
  if (typeof (/** @type {MessageEvent} */ (event).data) === "string") {
    if (get("data").hidden) {
      get("data").hidden = false;
      showVideo(video.startMs !== null);
    }
  } else {
    showVideo(true);
  }
}

async function savePicture() {
  const picture = await video.snapshot();
  if (!picture) {
    note("There is no picture yet.");
    return;
  }
  const url = URL.createObjectURL(picture);
  const stamp = new Date().toISOString().replace(/[:.]/g, "-");
  const link = document.createElement("a");
  link.href = url;
  link.download = `${get("topic").textContent}-${stamp}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function send(/** @type {Event} */ event) {
  event.preventDefault();
  const input = get("text");
  if (connection?.send(input.value)) {
    note(`Sent: ${input.value.slice(0, 80)}`);
    input.value = "";
  } else {
    note("Not sent: there is no connection. Nothing is kept for later.");
  }
}

get("stats").addEventListener("click", () => showStatistics(!video.hasAttribute("stats")));
get("snapshot").addEventListener("click", () => void savePicture());
get("pause").addEventListener("click", () => {
  if (connection?.state === "paused") {
    connection.resume();
  } else {
    connection?.pause();
  }
});
get("sender").addEventListener("submit", send);
get("link").addEventListener("submit", (/** @type {Event} */ event) => {
  event.preventDefault();
  location.hash = `token=${encodeURIComponent(get("token").value.trim())}`;
});
addEventListener("hashchange", start);
start();
