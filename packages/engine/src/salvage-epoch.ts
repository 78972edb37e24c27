/** A version has room for no higher one (protocol 2.2: an int64 with 48 bits for w). */
export const maxJobEpoch = 2 ** 15 - 1;

/** Headers are small and lie at the front of a frame. */
const searchedBytes = 1 << 16;

/**
 * The epoch in what is left of a checkpoint whose checksum is wrong. What it says may be wrong as well: too high costs
 * nothing, and for too low there are other sources.
 */
export function salvageEpoch(bytes: Uint8Array): number | undefined {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, searchedBytes));
  const digits = /"jobEpoch":(\d{1,5})[,}]/.exec(start.toString("latin1"))?.[1];
  const epoch = Number(digits ?? Number.NaN);
  return epoch <= maxJobEpoch ? epoch : undefined;
}
