import { StreamError } from "@adstream/engine/errors";

/**
 * What a block decoder writes: literals and copies of what it wrote before. Both are checked against the room there
 * is, so that no input makes a decoder read or write anywhere else.
 */
export type BlockOutput = {
  readonly bytes: Uint8Array;
  /** Bytes written so far. */
  length: number;
};

/** Below this, a loop is faster than the call that copies. */
const smallBytes = 32;

/** Appends `source[start, start + length)`. @throws {StreamError} BATCH_CORRUPT */
export function appendLiteral(
  output: BlockOutput,
  source: Uint8Array,
  start: number,
  length: number,
): void {
  const { bytes, length: at } = output;
  if (length > source.length - start || length > bytes.length - at) throw outOfRoom();
  if (length > smallBytes) bytes.set(source.subarray(start, start + length), at);
  else for (let index = 0; index < length; index++) bytes[at + index] = source[start + index] ?? 0;
  output.length = at + length;
}

/**
 * Appends `length` bytes from `distance` before the end. Where they overlap, the copy repeats what it writes.
 *
 * @throws {StreamError} BATCH_CORRUPT
 */
export function appendCopy(output: BlockOutput, distance: number, length: number): void {
  const { bytes, length: at } = output;
  const start = at - distance;
  if (distance === 0 || start < 0 || length > bytes.length - at) throw outOfRoom();
  if (length > smallBytes && distance >= length) bytes.copyWithin(at, start, start + length);
  else for (let index = 0; index < length; index++) bytes[at + index] = bytes[start + index] ?? 0;
  output.length = at + length;
}

/** @throws {StreamError} BATCH_CORRUPT: compressed data points outside of its input or output */
function outOfRoom(): StreamError {
  return new StreamError("BATCH_CORRUPT", "stop", "compressed body points outside of its data");
}
