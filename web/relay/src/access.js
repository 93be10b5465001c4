/* The access API: a token in, the URI of a WebSocket with a one-time code out; and what failed, in
 * words that name a cure. */
import { RelayError } from "./errors.js";
import { isExpired } from "./token.js";

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
    throw new RelayError("usage", `"${access}" is no URL of a relay`, { isFinal: true, cause });
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
  return session.replace(/\/session\/([^/?]+)/, "/snapshot/$1");
}

/** @param {string | undefined | null} value */
function retryAfterMs(value) {
  const seconds = Number(value);
  return value && Number.isFinite(seconds) && seconds >= 0
    ? Math.min(seconds, 3600) * 1000
    : undefined;
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
function refusal(response, text, token) {
  const { status } = response;
  const reason = messageOf(text);
  const said = reason ? `: ${reason}` : "";
  const more = { status, retryAfterMs: retryAfterMs(response.headers.get("Retry-After")) };

  if (!reason && !(response.headers.get("Content-Type") ?? "").startsWith("application/json")) {
    return notRelay(status);
  }
  if (status === 401) {
    return isExpired(token)
      ? new RelayError("expired", `the token has expired${said}`, { ...more, isFinal: true })
      : new RelayError("refused", `the relay refuses the token${said}`, { ...more, isFinal: true });
  }
  if (status === 400 && /deny-listed|cancelled/.test(reason)) {
    return new RelayError("denied", `the booking was cancelled${said}`, { ...more, isFinal: true });
  }
  if (status === 503 || status === 429) {
    return new RelayError("busy", `the relay has no place now${said}`, more);
  }
  if (status === 404) {
    return notRelay(status);
  }
  return new RelayError("refused", `the relay refuses (HTTP ${status})${said}`, more);
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

/** @param {Response} response */
async function readText(response) {
  const text = await response.text();
  return text.slice(0, ANSWER_CHARACTERS_MAX);
}

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
  try {
    response = await fetch(session, {
      method: "POST",
      headers: { Authorization: token, "Content-Type": "application/json" },
      body: "{}",
      cache: "no-store",
      credentials: "omit",
      referrerPolicy: "no-referrer",
      signal,
    });
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
  const response = await fetch(snapshotUrl(session), {
    headers: { Authorization: token, Accept: accept },
    cache: "no-store",
    credentials: "omit",
    referrerPolicy: "no-referrer",
    signal,
  });
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
