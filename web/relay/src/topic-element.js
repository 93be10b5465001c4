/* The part of an element that is about its topic: from attributes to a connection, or one that the
 * page made. */
import { connect } from "./connection.js";

/**
 * @typedef {import("./connection.js").RelayConnection} RelayConnection
 * @typedef {import("./errors.js").RelayError} RelayError
 */

export class TopicElement extends HTMLElement {
  /** @type {RelayConnection | null} */
  #connection = null;
  #isOwner = true;
  #isStarting = false;
  #listening = new AbortController();

  /** @type {((request: import("./connection.js").TokenRequest) => string | Promise<string>) |
   *   null} asked instead of the attribute token */
  getToken = null;

  /** For those who come to listen to it. @param {RelayConnection} _connection
   * @param {AbortSignal} _signal aborted when the element lets go of it */
  attached(_connection, _signal) {}

  /** It is not listened to any more. */
  detached() {}

  /** What the attributes ask for cannot be. @param {RelayError | null} _error null: nothing is */
  unavailable(_error) {}

  /** The connection; one that is set is used, and stays its owner's to close. */
  get connection() {
    return this.#connection;
  }

  set connection(connection) {
    this.#stop();
    this.#isOwner = connection === null;
    this.#connection = connection;
    this.restart();
  }

  connectedCallback() {
    this.restart();
  }

  disconnectedCallback() {
    this.#stop();
  }

  /* Several attributes are set one after the other: one start for all of them. */
  restart() {
    if (!this.isConnected || this.#isStarting) {
      return;
    }
    this.#isStarting = true;
    queueMicrotask(() => {
      this.#isStarting = false;
      if (this.isConnected) {
        this.#start();
      }
    });
  }

  #start() {
    const access = this.getAttribute("src");
    const token = this.getToken ?? this.getAttribute("token");
    const topic = this.getAttribute("topic") ?? undefined;
    this.#stop();
    if (this.#isOwner && access && token) {
      const pauseWhenHidden = !this.hasAttribute("background");
      try {
        this.#connection = connect({ access, topic, token, pauseWhenHidden });
      } catch (fault) {
        this.unavailable(/** @type {RelayError} */ (fault));
        return;
      }
    }
    if (this.#connection) {
      this.attached(this.#connection, this.#listening.signal);
    } else {
      this.unavailable(null);
    }
  }

  #stop() {
    this.#listening.abort();
    this.#listening = new AbortController();
    this.detached();
    if (this.#isOwner) {
      this.#connection?.close();
      this.#connection = null;
    }
  }
}

/** @param {string} name @param {typeof HTMLElement} type */
export function define(name, type) {
  if (!customElements.get(name)) {
    customElements.define(name, /** @type {any} */ (type));
  }
}
