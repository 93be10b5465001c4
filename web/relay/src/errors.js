/**
 * @typedef {"unreachable" | "blocked" | "refused" | "expired" | "denied" | "busy" | "not-a-relay" |
 *   "token" | "timeout" | "closed" | "unsupported" | "usage"} RelayErrorKind
 */

/** Why an attempt, a connection or a player failed: a kind for programs, a sentence for people. */
export class RelayError extends Error {
  name = "RelayError";
  /** Status of the response, if there was one. @type {number | undefined} */
  status;
  /** Close code of the WebSocket, if it was open. @type {number | undefined} */
  closeCode;
  /** The server asked to be left alone for so long. @type {number | undefined} */
  retryAfterMs;
  /** Another attempt with the same token would fail in the same way. */
  isFinal = false;

  /**
   * @param {RelayErrorKind} kind
   * @param {string} message
   * @param {{status?: number, closeCode?: number, retryAfterMs?: number, isFinal?: boolean,
   *   cause?: unknown}} [more]
   */
  constructor(kind, message, more = {}) {
    super(message, more);
    this.kind = kind;
    Object.assign(this, more);
  }
}

/**
 * What a player says of a stream that cannot be shown here, whatever comes.
 *
 * @param {string} message @param {unknown} [cause]
 */
export function unsupported(message, cause) {
  return new RelayError("unsupported", message, { isFinal: true, cause });
}

/** What a player says after many faults in a row; it goes on. @param {unknown} [cause] */
export function damaged(cause) {
  return new RelayError("unsupported", "the stream is damaged, or not what it says it is", {
    cause,
  });
}
