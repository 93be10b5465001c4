/* A relay that is followed by new programs: hand-overs, and the processes that they leave. */
import { Relay, until, WAIT_MS } from "../relay/test/support.js";

const TRIES = 3;
const HANDED_OVER = "handed over";
const REFUSED = "not handed over, this program goes on";

export class Succession extends Relay {
  /** The newest program, if it is not the first one. */
  #follower = 0;

  async launch() {
    this.#follower = 0;
    await super.launch();
  }

  /** The lines of all programs, of a message. @param {string} message @param {number} [from]
   * @returns {any[]} */
  lines(message, from = 0) {
    const whole = this.output.slice(from, this.output.lastIndexOf("\n") + 1);
    return whole.split("\n").filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line)).filter(({ msg }) => msg === message);
  }

  /** Returns the line of the program that handed over. On a machine that starves it a new program
   * may miss its deadline: then it is started again. @returns {Promise<any>} */
  async handOver() {
    for (let tries = 1;; tries++) {
      const from = this.output.length;
      process.kill(this.#follower || (this.process?.pid ?? 0), "SIGUSR2");
      const line = await until(() => [HANDED_OVER, REFUSED].flatMap((message) =>
        this.lines(message, from))[0], "the end of a hand-over", 3 * WAIT_MS);
      if (line.msg === HANDED_OVER) {
        this.#follower = line.pid;
        return line;
      }
      if (tries === TRIES || !line.reason.includes("it took too long")) {
        throw new Error(line.reason);
      }
    }
  }

  /** A request that the program before took in is asked again. @param {string} booking */
  async deny(booking) {
    await until(() => super.deny(booking).then(() => true, (error) => {
      if (!`${error.message}`.startsWith("deny: 503")) {
        throw error;
      }
    }), "an answer to a denial");
  }

  /** @param {NodeJS.Signals} [signal] */
  async stop(signal = "SIGTERM") {
    const child = this.process;
    if (this.#follower && child) {
      process.kill(this.#follower, signal);
      /* All of them write there, and those before it end with it. */
      await until(() => child.stdout?.readableEnded, "the end of all programs", 3 * WAIT_MS);
    }
    await super.stop(signal);
  }
}
