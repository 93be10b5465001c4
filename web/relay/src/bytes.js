/** Pieces as one, whose length is known. @param {Uint8Array[]} pieces @param {number} bytes */
export function join(pieces, bytes) {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
