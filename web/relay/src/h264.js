/* H.264 in Annex B form (ITU-T H.264): as little as a player must know of it. */
import { startCodes } from "./bytes.js";

const NAL_SLICE_IDR = 5;
const NAL_SEI = 6;
const NAL_SPS = 7;
const NAL_PPS = 8;
const SEI_RECOVERY_POINT = 6;

/**
 * The NAL units of an access unit, without their start codes.
 *
 * @param {Uint8Array} data
 * @returns {Uint8Array[]}
 */
export function nalUnits(data) {
  const codes = startCodes(data);
  return codes.map((at, index) => data.subarray(at + 3, codes[index + 1]))
    .filter((unit) => unit.length > 0);
}

/**
 * The codec of a sequence parameter set, as browsers name it.
 *
 * @param {Uint8Array} sps
 */
export function codecOf(sps) {
  const hex = (/** @type {number} */ byte) => byte.toString(16).padStart(2, "0");
  return sps.length < 4 ? "" : `avc1.${hex(sps[1])}${hex(sps[2])}${hex(sps[3])}`;
}

/** @param {Uint8Array} sei */
function isRecoveryPoint(sei) {
  return sei.length > 2 && sei[1] === SEI_RECOVERY_POINT;
}

/**
 * What an access unit is. Decoding may begin at an IDR picture, or where the encoder says so.
 *
 * @param {Uint8Array} data
 */
export function inspect(data) {
  /** @type {{sps: Uint8Array | null, pps: Uint8Array | null, isKey: boolean, isEmpty: boolean}} */
  const found = { sps: null, pps: null, isKey: false, isEmpty: true };
  for (const unit of nalUnits(data)) {
    const type = unit[0] & 0x1f;
    if (type === NAL_SPS) {
      found.sps = unit;
    } else if (type === NAL_PPS) {
      found.pps = unit;
    } else if (type === NAL_SLICE_IDR || (type === NAL_SEI && isRecoveryPoint(unit))) {
      found.isKey = true;
    }
    found.isEmpty &&= type === 0 || type > NAL_SLICE_IDR;
  }
  return found;
}

/**
 * An access unit with these parameter sets in front.
 *
 * @param {Uint8Array[]} sets @param {Uint8Array} data
 */
export function withParameterSets(sets, data) {
  const bytes = sets.reduce((sum, set) => sum + 4 + set.length, data.length);
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const set of sets) {
    whole.set([0, 0, 0, 1], at);
    whole.set(set, at + 4);
    at += 4 + set.length;
  }
  whole.set(data, at);
  return whole;
}
