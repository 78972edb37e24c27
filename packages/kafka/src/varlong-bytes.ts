/** As int32 arithmetic goes, which is several times as fast. */
const smallBound = 2 ** 31;

/**
 * Writes a whole number as zigzag varint, an Avro long: the first byte holds the sign and 6 bits, the others 7 bits each,
 * the lowest first.
 *
 * @param value a safe integer
 * @returns where it ends, 8 bytes behind `position` at most
 */
export function writeVarlong(into: Uint8Array, position: number, value: number): number {
  const sign = value < 0 ? 1 : 0;
  let rest = sign === 1 ? -1 - value : value;
  let byte = ((rest % 64) << 1) | sign;
  rest = Math.floor(rest / 64);
  let at = position;
  for (; rest >= smallBound; rest = Math.floor(rest / 128)) {
    into[at++] = byte | 0x80;
    byte = rest % 128;
  }
  for (let small = rest; small > 0; small >>>= 7) {
    into[at++] = byte | 0x80;
    byte = small & 0x7f;
  }
  into[at++] = byte;
  return at;
}

/**
 * Writes `high` << 48 | `low` the same way: 64 bits, which no number holds exactly.
 *
 * @param high below 2^15, @param low below 2^48; neither is negative
 * @returns where it ends, 10 bytes behind `position` at most
 */
export function writeVarlong48(
  into: Uint8Array,
  position: number,
  high: number,
  low: number,
): number {
  if (high === 0) return writeVarlong(into, position, low);
  let at = position;
  into[at++] = ((low % 64) << 1) | 0x80;
  let rest = Math.floor(low / 64);
  // 48 bits are 6 and six times 7: those of `high` begin a byte of their own.
  for (let group = 0; group < 6; group++) {
    into[at++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  for (rest = high; rest > 0x7f; rest >>>= 7) into[at++] = (rest & 0x7f) | 0x80;
  into[at++] = rest;
  return at;
}
