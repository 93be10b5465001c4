/**
 * @typedef {"unreachable" | "blocked" | "refused" | "expired" | "denied" | "busy" | "not-a-relay" |
 *   "token" | "timeout" | "closed" | "unsupported" | "usage"} RelayErrorKind
 */

/** Why an attempt, a connection or a player failed: a kind for programs, a sentence for people. */
export class RelayError extends Error {
  /**
   * @param {RelayErrorKind} kind
   * @param {string} message
   * @param {{status?: number, closeCode?: number, retryAfterMs?: number, isFinal?: boolean,
   *   cause?: unknown}} [more]
   */
  constructor(kind, message, more = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = "RelayError";
    this.kind = kind;
    /** Status of the response, if there was one. */
    this.status = more.status;
    /** Close code of the WebSocket, if it was open. */
    this.closeCode = more.closeCode;
    /** The server asked to be left alone for so long. */
    this.retryAfterMs = more.retryAfterMs;
    /** Another attempt with the same token would fail in the same way. */
    this.isFinal = more.isFinal ?? false;
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
