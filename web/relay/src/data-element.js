/* <relay-data>: what a topic says. Attributes: src, topic, token as of <relay-video>; chart, lines
 * (how many are shown), writable. Properties: getToken, connection. Parts: value, chart, lines,
 * form, input, button, message. */
import { drawChart } from "./chart.js";
import { DataFeed, Series } from "./data.js";
import { styleSheet } from "./style.js";
import { define, TopicElement } from "./topic-element.js";

const SHOWN_LINES = 8;
const SHOWN_CHARACTERS = 2000;

const STYLE = `
:host { display: block; font: 14px/1.4 system-ui, sans-serif; }
:host([hidden]) { display: none; }
[hidden] { display: none !important; }
.value, .lines { font-family: ui-monospace, monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; margin: 0; }
.value { font-size: 1.2em; }
.lines { opacity: .75; max-height: 12em; overflow: auto; margin-top: .5em; }
.chart { width: 100%; height: 160px; display: block; margin: .5em 0; }
form { display: flex; gap: .4em; margin-top: .5em; }
input { flex: 1; min-width: 0; font: inherit; font-family: ui-monospace, monospace;
  padding: .4em .6em; color: inherit; background: transparent; border: 1px solid currentColor;
  border-radius: .4em; }
button { font: inherit; padding: .4em 1em; border-radius: .4em; border: 1px solid currentColor;
  background: transparent; color: inherit; cursor: pointer; }
:focus-visible { outline: 2px solid #2f81f7; outline-offset: 1px; }
.message { margin: .3em 0 0; }
.message:empty { display: none; }
`;

export class RelayDataElement extends TopicElement {
  static observedAttributes = ["src", "topic", "token", "chart", "writable"];

  /** @type {DataFeed | null} */
  #feed = null;
  #series = new Series();
  /** @type {string[]} */
  #recent = [];
  #request = 0;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [styleSheet(STYLE)];
    root.innerHTML = `
      <output class="value" part="value" aria-label="Newest value"></output>
      <canvas class="chart" part="chart" role="img" aria-label="Values of the last half minute"
        hidden></canvas>
      <pre class="lines" part="lines" tabindex="0" aria-label="Last lines"></pre>
      <form part="form" hidden><input part="input" name="text" autocomplete="off"
        aria-label="Text to send" placeholder='{"cmd":"…"}'>
        <button part="button">Send</button></form>
      <p class="message" part="message" role="status"></p>`;
    const get = (/** @type {string} */ selector) =>
      /** @type {any} */ (root.querySelector(selector));
    /** @type {HTMLOutputElement} */
    this.valueView = get(".value");
    /** @type {HTMLCanvasElement} */
    this.chartView = get(".chart");
    /** @type {HTMLPreElement} */
    this.linesView = get(".lines");
    /** @type {HTMLFormElement} */
    this.form = get("form");
    /** @type {HTMLParagraphElement} */
    this.message = get(".message");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  /** The newest line. */
  get newest() {
    return this.#feed?.newest ?? null;
  }

  /** @param {unknown} value @returns {boolean} whether it was sent */
  send(value) {
    return this.#feed?.send(value) ?? false;
  }

  /** @param {string} name @param {string | null} before @param {string | null} after */
  attributeChangedCallback(name, before, after) {
    if (name === "chart" || name === "writable") {
      this.form.hidden = !this.hasAttribute("writable");
      this.#refresh();
    } else if (before !== after) {
      this.restart();
    }
  }

  /**
   * @param {import("./connection.js").RelayConnection} connection @param {AbortSignal} signal
   */
  attached(connection, signal) {
    this.#feed = new DataFeed(connection);
    this.#feed.addEventListener("line", (event) => this.#onLine(
      /** @type {CustomEvent<import("./data.js").DataLine>} */ (event).detail));
    const show = () => {
      this.setAttribute("state", connection.state);
      this.message.textContent = connection.error?.message ?? "";
    };
    connection.addEventListener("state", show, { signal });
    show();
  }

  detached() {
    this.#feed?.close();
    this.#feed = null;
    cancelAnimationFrame(this.#request);
    this.#request = 0;
  }

  /** @param {import("./errors.js").RelayError | null} error */
  unavailable(error) {
    this.message.textContent = error?.message ?? "";
  }

  /** @param {import("./data.js").DataLine} line */
  #onLine(line) {
    this.#series.add(line);
    this.#recent.push(line.text.slice(0, SHOWN_CHARACTERS));
    const most = Number(this.getAttribute("lines") ?? SHOWN_LINES);
    this.#recent.splice(0, Math.max(0, this.#recent.length - most));
    this.#request ||= requestAnimationFrame(() => this.#refresh());
    this.dispatchEvent(new CustomEvent("relay-line", { detail: line }));
  }

  #refresh() {
    this.#request = 0;
    const { newest } = this;
    this.valueView.textContent = (newest?.text ?? "").slice(0, SHOWN_CHARACTERS);
    this.linesView.textContent = this.#recent.join("\n");
    this.linesView.hidden = this.#recent.length < 2;
    this.chartView.hidden = !this.hasAttribute("chart") || this.#series.lines.size === 0;
    if (!this.chartView.hidden) {
      drawChart(this.chartView, this.#series);
    }
  }

  #send() {
    const input = /** @type {HTMLInputElement} */ (this.form.elements.namedItem("text"));
    if (this.send(input.value)) {
      input.value = "";
      this.message.textContent = "";
    } else {
      this.message.textContent = "Not sent: there is no connection. Nothing is kept for later.";
    }
  }
}

define("relay-data", RelayDataElement);
