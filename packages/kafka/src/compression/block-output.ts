import { StreamError } from "@adstream/engine/errors";

/** What block decoders read and write, as bytes and as words. */
export type Block = { readonly bytes: Uint8Array; readonly view: DataView };

/** From here on the call that copies is faster than a loop. */
const largeBytes = 64;

export function blockOf(bytes: Uint8Array): Block {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

/**
 * Copies `source[start, start + length)` to `target` at `at`. Both ends are checked, so that no input makes a decoder
 * read or write anywhere else.
 *
 * Most literals are of a few bytes. One word in place of a loop spares a branch that no processor foresees; what it
 * writes too much is overwritten by what comes next, or lies behind the end.
 *
 * @throws {StreamError} BATCH_CORRUPT
 */
export function copyLiteral(
  source: Block,
  start: number,
  target: Block,
  at: number,
  length: number,
): void {
  const availableBytes = source.bytes.length - start;
  const roomBytes = target.bytes.length - at;
  if (length > availableBytes || length > roomBytes) throw outOfRoom();
  if (length <= 4 && availableBytes >= 4 && roomBytes >= 4) {
    target.view.setInt32(at, source.view.getInt32(start, true), true);
  } else if (length < largeBytes) {
    for (let index = 0; index < length; index++) {
      target.bytes[at + index] = source.bytes[start + index] ?? 0;
    }
  } else target.bytes.set(source.bytes.subarray(start, start + length), at);
}

/**
 * Copies `length` bytes from `distance` before `at` to `at`. Where they overlap, the copy repeats what it writes. Three
 * words at once, as with literals: each is read behind what the one before it wrote only where the distance is four or more.
 *
 * @throws {StreamError} BATCH_CORRUPT
 */
export function copyMatch(
  { bytes, view }: Block,
  at: number,
  distance: number,
  length: number,
): void {
  const start = at - distance;
  const roomBytes = bytes.length - at;
  if (distance === 0 || start < 0 || length > roomBytes) throw outOfRoom();
  if (length <= 12 && distance >= 4 && roomBytes >= 12) {
    view.setInt32(at, view.getInt32(start, true), true);
    view.setInt32(at + 4, view.getInt32(start + 4, true), true);
    view.setInt32(at + 8, view.getInt32(start + 8, true), true);
  } else if (length < largeBytes || distance < length) {
    for (let index = 0; index < length; index++) bytes[at + index] = bytes[start + index] ?? 0;
  } else bytes.copyWithin(at, start, start + length);
}

/** @throws {StreamError} BATCH_CORRUPT: compressed data points outside of its input or output */
function outOfRoom(): StreamError {
  return new StreamError("BATCH_CORRUPT", "stop", "compressed body points outside of its data");
}
