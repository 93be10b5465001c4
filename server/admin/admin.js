"use strict";

/* Polls /topics and makes rates of two answers. Texts from outside are only ever text nodes. */
const PERIOD_MS = 2000;
const POINTS = 60;
const SVG = "http://www.w3.org/2000/svg";
const COUNTED = ["bytes_received", "bytes_sent", "messages_received"];
const state = document.getElementById("state");
const history = new Map();
let last = null;

/* The title of its column goes with it, for where there is no room for a line of titles. */
function cell(row, text, name) {
  const element = row.insertCell();
  const titles = row.closest("table").tHead.rows[0].cells;
  element.textContent = text;
  element.dataset.title = titles[element.cellIndex].textContent;
  if (name) {
    element.className = name;
  }
  return element;
}

function figure(value) {
  return value > 0 && value < 10 ? value.toFixed(1) : `${Math.round(value)}`;
}

function bits(bytesPerSecond) {
  let value = bytesPerSecond * 8;
  for (const unit of ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"]) {
    if (value < 1000 || unit === "Gbit/s") {
      return `${figure(value)} ${unit}`;
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

/* Per second since the answer before; null for a topic that is new, or counts anew. */
function rates(topic, before, seconds) {
  const rate = {};
  if (!before || seconds <= 0 || COUNTED.some((name) => topic[name] < before[name])) {
    return null;
  }
  for (const name of COUNTED) {
    rate[name] = (topic[name] - before[name]) / seconds;
  }
  return rate;
}

function remember(name, rate) {
  const points = history.get(name) || [];
  if (rate) {
    points.push(rate.bytes_received);
  }
  history.set(name, points.slice(-POINTS));
  return history.get(name);
}

/* The row that is shared by topics without one of their own is there even if there are none. */
function isShown(topic) {
  return topic.topic !== "other" || topic.age_ms !== undefined
    || topic.publishers + topic.viewers + topic.messages_received > 0;
}

function showTopics(now) {
  const body = document.querySelector("#topics tbody");
  const before = new Map(last ? last.topics.map((topic) => [topic.topic, topic]) : []);
  const seconds = last && last.started_s === now.started_s ? (now.now_ms - last.now_ms) / 1000 : 0;
  const topics = now.topics.filter(isShown).sort((a, b) => a.topic < b.topic ? -1 : 1);
  body.replaceChildren();
  for (const topic of topics) {
    const rate = rates(topic, before.get(topic.topic), seconds);
    const row = body.insertRow();
    const lost = topic.dropped_data + topic.dropped_video + topic.dropped_latest;
    cell(row, topic.topic);
    cell(row, topic.publishers, "number");
    cell(row, topic.viewers, "number");
    cell(row, age(topic.age_ms), topic.publishers > 0 && topic.age_ms > 10000 ? "number bad" : "number");
    cell(row, rate ? bits(rate.bytes_received) : "", "number");
    cell(row, rate ? bits(rate.bytes_sent) : "", "number");
    cell(row, rate ? figure(rate.messages_received) : "", "number");
    cell(row, lost, lost > 0 ? "number bad" : "number");
    cell(row, "", "graph").append(graph(remember(topic.topic, rate)));
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
  const ids = [...denied.booking_ids].sort();
  list.replaceChildren(...ids.map((id) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.textContent = "Allow again";
    button.setAttribute("aria-label", `Allow ${id} again`);
    button.addEventListener("click", () => change("allow", id, 1));
    item.append(id, button);
    return item;
  }));
  if (ids.length === 0) {
    list.append("none");
  }
}

/* Denies a booking for so many hours, or allows it again. */
async function change(verb, id, hours) {
  const result = document.getElementById("deny-result");
  const query = new URLSearchParams({bid: id, exp: Math.floor(Date.now() / 1000) + 3600 * hours});
  try {
    const answer = await fetch(`/bids/${verb}?${query}`, {method: "POST", headers: {"Relay-Admin": "1"}});
    const why = answer.ok ? "" : (await answer.json()).message;
    result.className = answer.ok ? "" : "bad";
    result.textContent = !answer.ok ? `Not changed: ${why}`
      : verb === "deny" ? `${id} is denied.` : `${id} is allowed again.`;
    await showDenied();
  } catch (fault) {
    result.className = "bad";
    result.textContent = `Not changed: ${fault.message}`;
  }
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

document.getElementById("deny").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target.elements;
  change("deny", form.booking.value, Number(form.hours.value));
});

function lost(dropped) {
  return dropped ? Object.entries(dropped).map(([name, count]) => `${count} ${name}`).join(", ") : "";
}

/* Of today only the time; a time of 1970 stands for none. */
function time(text) {
  const date = new Date(text);
  if (!(date.getTime() > 0)) {
    return "never";
  }
  return date.toDateString() === new Date().toDateString() ? date.toLocaleTimeString()
    : date.toLocaleString();
}

function showConnections(list) {
  const table = document.getElementById("connections");
  table.tBodies[0].replaceChildren();
  for (const each of list) {
    const row = table.tBodies[0].insertRow();
    cell(row, each.topic);
    cell(row, (each.scopes || []).join(" "));
    cell(row, each.remote_addr || "");
    cell(row, each.user_agent || "");
    cell(row, time(each.connected_at), "time");
    cell(row, time(each.expires_at), "time");
    cell(row, each.tls || "");
    cell(row, lost(each.dropped));
  }
  table.hidden = false;
}

document.getElementById("load-connections").addEventListener("click", async (event) => {
  const said = document.getElementById("connections-state");
  try {
    const list = await getJson("/status");
    list.sort((a, b) => a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0);
    showConnections(list);
    event.target.textContent = "Show again";
    said.textContent = `${list.length} at ${new Date().toLocaleTimeString()}`;
    said.className = "";
  } catch (fault) {
    said.textContent = fault.message;
    said.className = "bad";
  }
});

poll();
showDenied().catch(() => {});
