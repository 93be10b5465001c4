/* <relay-data>: what a topic says. Attributes: src, topic, token as of <relay-video>; chart, lines
 * (how many are shown), writable. Properties: getToken, connection. Parts: value, chart, lines,
 * form, input, button, message. */
import { drawChart } from "./chart.js";
import { DataFeed, Series } from "./data.js";
import { furnish, sentence } from "./style.js";
import { define, TopicElement } from "./topic-element.js";

const SHOWN_LINES = 8;
const SHOWN_LINES_MAX = 1000;
const SHOWN_CHARACTERS = 2000;

const STYLE = `
.value, .lines, input { font-family: ui-monospace, monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; margin: 0; }
.value { font-size: 1.2em; }
.lines { opacity: .75; max-height: 12em; overflow: auto; margin-top: .4em; }
.chart { width: 100%; height: 160px; display: block; margin: .4em 0; }
form { display: flex; gap: .4em; margin-top: .4em; }
input { flex: 1; min-width: 0; font-size: inherit; padding: .4em; color: inherit; background: none;
  border: 1px solid; border-radius: .4em; }
.message { margin: .4em 0 0; }
`;

const HTML = `<output class="value" part="value" aria-label="Newest value"></output>
<canvas class="chart" part="chart" role="img" aria-label="Values of the last half minute"
  hidden></canvas>
<pre class="lines" part="lines" tabindex="0" aria-label="Last lines" hidden></pre>
<form part="form" hidden><input part="input" name="text" autocomplete="off"
  aria-label="Text to send" placeholder='{"cmd":"…"}'><button part="button">Send</button></form>
<p class="message" part="message" role="status"></p>`;

export class RelayDataElement extends TopicElement {
  static observedAttributes = ["src", "topic", "token", "chart", "writable"];

  /** @type {DataFeed | null} */
  #feed = null;
  #series = new Series();
  /** @type {string[]} */
  #recent = [];
  #request = 0;
  /** @type {HTMLElement} */
  #value;
  /** @type {HTMLCanvasElement} */
  #chart;
  /** @type {HTMLElement} */
  #lines;
  /** @type {HTMLFormElement} */
  #form;
  /** @type {HTMLElement} */
  #message;

  constructor() {
    super();
    [this.#value, this.#chart, this.#lines, this.#form, this.#message] = /** @type {any} */ (
      furnish(this, STYLE, HTML).children);
    this.#form.addEventListener("submit", (event) => {
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
      this.#form.hidden = !this.hasAttribute("writable");
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
      this.#message.textContent = sentence(connection.error?.message ?? "");
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
    this.#message.textContent = sentence(error?.message ?? "");
  }

  /** @param {import("./data.js").DataLine} line */
  #onLine(line) {
    this.#series.add(line);
    this.#recent.push(line.text.slice(0, SHOWN_CHARACTERS));
    const wanted = Number(this.getAttribute("lines") ?? NaN);
    const most = wanted >= 0 ? Math.min(wanted, SHOWN_LINES_MAX) : SHOWN_LINES;
    this.#recent.splice(0, this.#recent.length - most);
    this.#request ||= requestAnimationFrame(() => this.#refresh());
    this.dispatchEvent(new CustomEvent("relay-line", { detail: line }));
  }

  #refresh() {
    this.#request = 0;
    const { newest } = this;
    this.#value.textContent = (newest?.text ?? "").slice(0, SHOWN_CHARACTERS);
    this.#lines.textContent = this.#recent.join("\n");
    this.#lines.hidden = this.#recent.length < 2;
    this.#lines.scrollTop = this.#lines.scrollHeight; /* to the newest one */
    this.#chart.hidden = !this.hasAttribute("chart") || this.#series.lines.size === 0;
    if (!this.#chart.hidden) {
      drawChart(this.#chart, this.#series);
    }
  }

  #send() {
    const input = /** @type {HTMLInputElement} */ (this.#form.elements.namedItem("text"));
    if (this.send(input.value)) {
      input.value = "";
      this.#message.textContent = "";
    } else {
      this.#message.textContent = "Not sent: there is no connection. Nothing is kept for later.";
    }
  }
}

define("relay-data", RelayDataElement);
