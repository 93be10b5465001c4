/** Pieces as one. @param {Uint8Array[]} pieces */
export function join(pieces) {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/**
 * Where start codes of video are: 0, 0, 1, and the byte that says of what.
 *
 * @param {Uint8Array} data
 */
export function startCodes(data, at = 0, end = data.length) {
  const found = [];
  for (; at + 2 < end; at++) {
    if (data[at + 2] > 1) {
      at += 2; /* no start code can include this byte */
    } else if (data[at] === 0 && data[at + 1] === 0 && data[at + 2] === 1) {
      found.push(at);
      at += 2;
    }
  }
  return found;
}

/**
 * What waits, in order. The oldest goes when it is too much.
 *
 * @template {{byteLength: number} | string} Item
 */
export class Backlog {
  /** @type {Item[]} */
  #items = [];
  #bytes = 0;

  /** @param {number} bytesMax @param {number} [itemsMax] */
  constructor(bytesMax, itemsMax = 1024) {
    this.bytesMax = bytesMax;
    this.itemsMax = itemsMax;
  }

  get length() {
    return this.#items.length;
  }

  /** @param {Item} item @returns {boolean} whether all of it has its place */
  push(item) {
    this.#items.push(item);
    this.#bytes += sizeOf(item);
    let fits = true;
    while (this.#bytes > this.bytesMax || this.length > this.itemsMax) {
      this.shift();
      fits = false;
    }
    return fits;
  }

  first() {
    return this.#items[0];
  }

  shift() {
    const item = this.#items.shift();
    this.#bytes -= sizeOf(item ?? "");
    return item;
  }

  /** All of it, which is not here any more. */
  take() {
    this.#bytes = 0;
    return this.#items.splice(0);
  }
}

/** @param {{byteLength: number} | string} item */
const sizeOf = (item) => (typeof item === "string" ? item.length : item.byteLength);
