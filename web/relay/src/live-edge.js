/* A video element that plays what Media Source Extensions were given is moved to the newest picture
 * whenever it falls behind; it never plays faster. A browser that cannot follow closely is left a
 * little more, so that it does not only seek. */

const BEHIND_S = 0.25;
const BEHIND_MOST_S = 1;
const SEEK_EVERY_MS = 500;
const EDGE_S = 0.02;
const STUCK_MS = 1500;

export class LiveEdge {
  #behindS = BEHIND_S;
  #seekedAt = -Infinity;
  #lastEnd = NaN;
  #movedAt = 0;
  #fedAt = 0;
  #isClosed = false;

  /** @param {HTMLVideoElement} video @param {(presented: number) => void} onFrame */
  constructor(video, onFrame) {
    this.video = video;
    video.muted = true;
    video.playsInline = true;
    const next = (/** @type {number} */ _, /** @type {any} */ metadata) => {
      if (!this.#isClosed) {
        onFrame(metadata?.presentedFrames ?? 0);
        this.chase();
        video.requestVideoFrameCallback?.(next);
      }
    };
    video.requestVideoFrameCallback?.(next);
  }

  get lagMs() {
    return Math.max(0, this.#end() - this.video.currentTime) * 1000 || 0;
  }

  close() {
    this.#isClosed = true;
  }

  /** Plays, where it does not yet: without sound, where that needs a gesture. */
  play() {
    const { video } = this;
    if (video.paused) {
      video.play().catch((fault) => {
        video.muted ||= fault.name === "NotAllowedError";
      });
    }
  }

  /** To be told of all that is appended. Whether it brings nothing to play: it is of another
   * publisher then, whose time stamps are lower ones. */
  feed() {
    const now = performance.now();
    const end = this.#end();
    if (end !== this.#lastEnd || now - this.#fedAt > STUCK_MS) {
      this.#movedAt = now;
    }
    this.#lastEnd = end;
    this.#fedAt = now;
    return now - this.#movedAt > STUCK_MS;
  }

  chase() {
    const { video } = this;
    const { buffered, currentTime } = video;
    const end = this.#end();
    const start = buffered.length > 0 ? buffered.start(buffered.length - 1) : NaN;
    const isOutside = currentTime < start || currentTime > end;
    const since = performance.now() - this.#seekedAt;
    if (isOutside || (end - currentTime > this.#behindS && since > SEEK_EVERY_MS)) {
      const isOften = since < 4 * SEEK_EVERY_MS;
      this.#behindS = isOften ? Math.min(this.#behindS * 1.3, BEHIND_MOST_S) : BEHIND_S;
      this.#seekedAt = performance.now();
      video.currentTime = Math.max(start, end - EDGE_S);
    }
  }

  #end() {
    const { buffered } = this.video;
    return buffered.length > 0 ? buffered.end(buffered.length - 1) : NaN;
  }
}
