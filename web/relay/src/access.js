/* The access API: a token in, the URI of a WebSocket with a one-time code out; and what failed, in
 * words that name a cure. */
import { RelayError } from "./errors.js";
import { isExpired } from "./token.js";

/** @typedef {import("./errors.js").RelayErrorKind} RelayErrorKind */

const ANSWER_CHARACTERS_MAX = 64 * 1024;

/**
 * The URL of a session: as it is when it names one, else from the relay's access URL and a topic.
 *
 * @param {string | URL} access
 * @param {string} [topic]
 */
export function sessionUrl(access, topic) {
  const base = typeof document === "undefined" ? undefined : document.baseURI;
  let url;
  try {
    url = new URL(access, base);
  } catch (cause) {
    throw new RelayError("usage", `${access} is no URL of a relay`, { isFinal: true, cause });
  }
  url.hash = "";
  if (!/\/session\/[^/]+\/?$/.test(url.pathname)) {
    if (!topic) {
      throw new RelayError("usage", "no topic: give one, or a URL that ends in /session/TOPIC", {
        isFinal: true,
      });
    }
    url.pathname = `${url.pathname.replace(/\/+$/, "")}/session/${encodeURIComponent(topic)}`;
  }
  return url.href;
}

/**
 * The URL of the newest picture of the same topic.
 *
 * @param {string} session
 */
export function snapshotUrl(session) {
  return session.replace(/\/session(\/[^/?]+\/?(\?|$))/, "/snapshot$1");
}

/** @param {string | null} value */
function retryAfterMs(value) {
  const seconds = Number(value ?? NaN);
  return seconds >= 0 ? Math.min(seconds, 3600) * 1000 : undefined;
}

/** @param {string} text */
function messageOf(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "string" ? value : String(value?.message ?? "");
  } catch {
    return "";
  }
}

/** @param {number} status */
function notRelay(status) {
  return new RelayError(
    "not-a-relay",
    `the answer (HTTP ${status}) is not a relay's: a proxy is in between, or it is another server`,
    { status },
  );
}

/**
 * @param {Response} response
 * @param {string} text
 * @param {string} token
 */
function refusal({ status, headers }, text, token) {
  const reason = messageOf(text);
  const isJson = headers.get("Content-Type")?.startsWith("application/json");
  const error = (/** @type {RelayErrorKind} */ kind, /** @type {string} */ message,
    isFinal = false) => new RelayError(kind, reason ? `${message}: ${reason}` : message,
    { status, isFinal, retryAfterMs: retryAfterMs(headers.get("Retry-After")) });

  if (status === 404 || (!reason && !isJson)) {
    return notRelay(status);
  }
  if (status === 401) {
    return isExpired(token)
      ? new RelayError("expired", "the token has expired", { status, isFinal: true })
      : error("refused", "the relay refuses the token", true);
  }
  if (status === 400 && /deny-listed|cancelled/.test(reason)) {
    return error("denied", "the booking was cancelled", true);
  }
  return status === 503 || status === 429 ? error("busy", "the relay has no place now")
    : error("refused", `the relay refuses (HTTP ${status})`);
}

/**
 * fetch tells a page nothing of a failure. A request that needs no permission shows whether the
 * server is there at all: if it is, the page's origin is what is missing.
 *
 * @param {string} session
 * @param {AbortSignal} signal
 * @param {unknown} cause
 */
async function explainFailure(session, signal, cause) {
  const { origin, protocol, host } = new URL(session);
  const page = typeof location === "undefined" ? null : location;
  if (page?.protocol === "https:" && protocol === "http:") {
    return new RelayError("blocked", "a page of https:// may not use a relay of http://", {
      cause,
    });
  }
  if (page && page.origin !== origin) {
    try {
      await fetch(`${origin}/swagger.json`, { mode: "no-cors", cache: "no-store", signal });
      return new RelayError(
        "blocked",
        `the relay at ${host} does not allow pages of ${page.origin}: its operator can, with ` +
          `RELAY_CORS_ORIGINS=${page.origin}`,
        { cause },
      );
    } catch {
      /* it is not there either */
    }
  }
  return new RelayError("unreachable", `no relay answers at ${host}`, { cause });
}

/** As much of it as a relay would say. @param {Response} response */
async function readText(response) {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (reader && text.length < ANSWER_CHARACTERS_MAX) {
    const { done, value } = await reader.read();
    if (done) {
      return text;
    }
    text += value;
  }
  await reader?.cancel();
  return text;
}

/** What every request has. @param {string} token @param {AbortSignal} [signal] */
const request = (token, signal) => (/** @type {RequestInit} */ ({
  headers: { Authorization: token },
  cache: "no-store",
  credentials: "omit",
  referrerPolicy: "no-referrer",
  signal,
}));

/**
 * Asks for the URI of a WebSocket, with a code that opens it once.
 *
 * @param {string} session
 * @param {string} token
 * @param {AbortSignal} signal
 * @returns {Promise<string>}
 */
export async function requestUri(session, token, signal) {
  let response, text;
  if (!/^[!-~]+$/.test(token)) {
    throw new RelayError("refused", "the token has characters that no token has",
      { isFinal: true });
  }
  try {
    const { headers, ...more } = request(token, signal);
    response = await fetch(session, { ...more, method: "POST", body: "{}",
      headers: { ...headers, "Content-Type": "application/json" } });
    text = await readText(response);
  } catch (cause) {
    signal.throwIfAborted();
    throw await explainFailure(session, signal, cause);
  }
  if (!response.ok) {
    throw refusal(response, text, token);
  }
  try {
    const { uri } = JSON.parse(text);
    if (/^wss?:$/.test(new URL(uri).protocol)) {
      return uri;
    }
  } catch {
    /* said below */
  }
  throw notRelay(response.status);
}

/**
 * The newest picture of a topic, or null when there is none.
 *
 * @param {string} session
 * @param {string} token
 * @param {{accept?: string, signal?: AbortSignal}} [options]
 * @returns {Promise<Blob | null>}
 */
export async function fetchSnapshot(session, token, { accept = "*/*", signal } = {}) {
  const { headers, ...more } = request(token, signal);
  const response = await fetch(snapshotUrl(session),
    { ...more, headers: { ...headers, Accept: accept } });
  if (response.ok) {
    return response.blob();
  }
  await response.body?.cancel();
  if (response.status === 404 || response.status === 406) {
    return null;
  }
  throw new RelayError("refused", `the relay refuses a snapshot (HTTP ${response.status})`, {
    status: response.status,
  });
}
