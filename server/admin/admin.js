"use strict";

/* Polls /topics and makes rates of two answers. Texts from outside are only ever text nodes. */
const PERIOD_MS = 2000;
const POINTS = 60;
const SVG = "http://www.w3.org/2000/svg";
const COUNTED = ["bytes_received", "bytes_sent", "messages_received"];
const state = document.getElementById("state");
const history = new Map();
let last = null;

function cell(row, text, name) {
  const element = row.insertCell();
  element.textContent = text;
  if (name) {
    element.className = name;
  }
  return element;
}

function bits(bytesPerSecond) {
  let value = bytesPerSecond * 8;
  for (const unit of ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"]) {
    if (value < 1000 || unit === "Gbit/s") {
      return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
    }
    value /= 1000;
  }
  return "";
}

function age(ms) {
  if (ms === undefined) {
    return "none";
  }
  if (ms < 1000) {
    return `${ms} ms`;
  }
  const s = Math.round(ms / 1000);
  return s < 120 ? `${s} s` : s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`;
}

function graph(points) {
  const svg = document.createElementNS(SVG, "svg");
  const line = document.createElementNS(SVG, "polyline");
  const top = Math.max(1, ...points);
  svg.setAttribute("viewBox", `0 0 ${POINTS} 100`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `at most ${bits(top)}`);
  line.setAttribute("points", points.map((value, index) =>
    `${POINTS - points.length + index + 0.5},${98 - value / top * 96}`).join(" "));
  svg.append(line);
  return svg;
}

/* Per second since the answer before; a topic that is new, or counts anew, has none. */
function rates(topic, before, seconds) {
  const rate = {};
  for (const name of COUNTED) {
    const grown = before ? topic[name] - before[name] : 0;
    rate[name] = grown > 0 && seconds > 0 ? grown / seconds : 0;
  }
  return rate;
}

function remember(name, value) {
  const points = history.get(name) || [];
  points.push(value);
  history.set(name, points.slice(-POINTS));
  return history.get(name);
}

function showTopics(now) {
  const body = document.querySelector("#topics tbody");
  const before = new Map(last ? last.topics.map((topic) => [topic.topic, topic]) : []);
  const seconds = last ? (now.now_ms - last.now_ms) / 1000 : 0;
  body.replaceChildren();
  for (const topic of now.topics) {
    const rate = rates(topic, before.get(topic.topic), seconds);
    const row = body.insertRow();
    const lost = topic.dropped_data + topic.dropped_video + topic.dropped_latest;
    cell(row, topic.topic);
    cell(row, topic.publishers, "number");
    cell(row, topic.viewers, "number");
    cell(row, age(topic.age_ms), topic.publishers > 0 && topic.age_ms > 10000 ? "number bad" : "number");
    cell(row, bits(rate.bytes_received), "number");
    cell(row, bits(rate.bytes_sent), "number");
    cell(row, rate.messages_received.toFixed(1), "number");
    cell(row, lost, lost > 0 ? "number bad" : "number");
    row.insertCell().append(graph(remember(topic.topic, rate.bytes_received)));
  }
  for (const name of history.keys()) {
    if (!now.topics.some((topic) => topic.topic === name)) {
      history.delete(name);
    }
  }
}

async function getJson(path) {
  const answer = await fetch(path);
  if (!answer.ok) {
    throw new Error(`${path}: ${answer.status}`);
  }
  return answer.json();
}

async function showDenied() {
  const list = document.getElementById("denied");
  const denied = await getJson("/bids/deny");
  list.replaceChildren(...denied.booking_ids.map((id) => {
    const item = document.createElement("li");
    item.textContent = id;
    return item;
  }));
}

async function poll() {
  try {
    const [now, ready] = await Promise.all([getJson("/topics"),
      fetch("/readyz").then((answer) => answer.json())]);
    showTopics(now);
    state.textContent = `version ${now.version}, ${ready.state}, ${now.websockets} WebSockets, `
      + `${now.connections} connections, ${now.workers} workers, store ${ready.store}, `
      + `up since ${new Date(now.started_s * 1000).toLocaleString()}`;
    state.className = ready.ready ? "" : "bad";
    last = now;
  } catch (fault) {
    state.textContent = `the relay does not answer: ${fault.message}`;
    state.className = "bad";
  }
  setTimeout(poll, PERIOD_MS);
}

document.getElementById("deny").addEventListener("submit", async (event) => {
  event.preventDefault();
  const result = document.getElementById("deny-result");
  const form = event.target.elements;
  const query = new URLSearchParams({bid: form.booking.value,
    exp: Math.floor(Date.now() / 1000) + 3600 * Number(form.hours.value)});
  try {
    const answer = await fetch(`/bids/deny?${query}`, {method: "POST", headers: {"Relay-Admin": "1"}});
    result.textContent = answer.ok ? `${form.booking.value} is denied.`
      : `Not denied: ${(await answer.json()).message}`;
    await showDenied();
  } catch (fault) {
    result.textContent = `Not denied: ${fault.message}`;
  }
});

function lost(dropped) {
  return dropped ? Object.entries(dropped).map(([name, count]) => `${count} ${name}`).join(", ") : "";
}

document.getElementById("load-connections").addEventListener("click", async () => {
  const table = document.getElementById("connections");
  const body = table.tBodies[0];
  body.replaceChildren();
  for (const each of await getJson("/status")) {
    const row = body.insertRow();
    cell(row, each.topic);
    cell(row, (each.scopes || []).join(" "));
    cell(row, each.remote_addr || "");
    cell(row, each.user_agent || "");
    cell(row, each.connected_at);
    cell(row, each.expires_at);
    cell(row, each.tls || "");
    cell(row, lost(each.dropped));
  }
  table.hidden = false;
});

poll();
showDenied().catch(() => {});
