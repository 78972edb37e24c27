import { rejectCode } from "@adstream/engine/columns";

/**
 * A place in `bytes`, moved by the readers below and never past `end`.
 *
 * Readers do not throw: the first fault stays in `fault` (the number of a reject reason) and moves the cursor to its
 * end, so whatever is read after it fails at once and means nothing. Callers look at `fault` once per record.
 */
export type ByteCursor = {
  readonly bytes: Uint8Array;
  /** The same bytes. */
  readonly view: DataView;
  position: number;
  end: number;
  /** Number of a reject reason; 0 while all is well. */
  fault: number;
  /** Containers entered while skipping a value. */
  depth: number;
  /** What readers made that is not in `bytes`: its positions go on where those of `bytes` end. */
  extra: { readonly parts: Uint8Array[]; length: number } | undefined;
};

export const malformed: number = rejectCode("truncated or malformed Avro");
export const lengthOutOfBounds: number = rejectCode("length out of bounds");

export function createCursor(bytes: Uint8Array, position = 0): ByteCursor {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { bytes, view, position, end: bytes.length, fault: 0, depth: 0, extra: undefined };
}

/** Keeps `part` behind `bytes`. @returns its position */
export function appendExtra(cursor: ByteCursor, part: Uint8Array): number {
  const extra = (cursor.extra ??= { parts: [], length: 0 });
  const position = cursor.bytes.length + extra.length;
  extra.parts.push(part);
  extra.length += part.length;
  return position;
}

/** `bytes`, and what is kept behind them. */
export function extendedBytes({ bytes, extra }: ByteCursor): Uint8Array {
  return extra === undefined ? bytes : Buffer.concat([bytes, ...extra.parts]);
}

/** Marks what is read as faulty, unless it is already. @returns 0, a harmless value for the reader to return */
export function fail(cursor: ByteCursor, fault: number): 0 {
  if (cursor.fault === 0) cursor.fault = fault;
  cursor.position = cursor.end;
  return 0;
}

/** A zigzag varint of at most 5 bytes: a signed 32-bit integer. */
export function readVarint(cursor: ByteCursor): number {
  const { bytes, end } = cursor;
  let position = cursor.position;
  if (position >= end) return fail(cursor, malformed);
  let byte = bytes[position++] ?? 0;
  let zigzag = byte & 0x7f;
  for (let shift = 7; byte > 0x7f; shift += 7) {
    if (position >= end) return fail(cursor, malformed);
    byte = bytes[position++] ?? 0;
    // The fifth byte has four bits left to give, and ends the number.
    if (shift === 28 && byte > 0x0f) return fail(cursor, malformed);
    zigzag |= (byte & 0x7f) << shift;
  }
  cursor.position = position;
  return (zigzag >>> 1) ^ -(zigzag & 1);
}

/**
 * A zigzag varint of at most 10 bytes. Exact within ±(2^53 - 1); a longer one comes out rounded, and never within
 * those bounds, so that `Number.isSafeInteger` tells.
 */
export function readVarlong(cursor: ByteCursor): number {
  const { bytes, position } = cursor;
  const byte = bytes[position] ?? 0;
  // Most are of one byte, and this much is small enough for the compiler to put into every caller.
  if (byte > 0x7f || position >= cursor.end) return readLongVarlong(cursor, 1);
  cursor.position = position + 1;
  return (byte >>> 1) ^ -(byte & 1);
}

/**
 * A varlong divided by `divisor`, a whole number up to 10^6, towards -Infinity. Exact for any long of 64 bits, while the
 * long itself may be none that a number holds.
 */
export function readQuotient(cursor: ByteCursor, divisor: number): number {
  return readLongVarlong(cursor, divisor);
}

function readLongVarlong(cursor: ByteCursor, divisor: number): number {
  const { bytes, end } = cursor;
  let position = cursor.position;
  if (position >= end) return fail(cursor, malformed);
  let byte = bytes[position++] ?? 0;
  // The low 28 bits fit an integer, the others are summed as a double; the sign is split off before anything rounds.
  let low = byte & 0x7f;
  for (let shift = 7; byte > 0x7f && shift < 28; shift += 7) {
    if (position >= end) return fail(cursor, malformed);
    byte = bytes[position++] ?? 0;
    low |= (byte & 0x7f) << shift;
  }
  let high = 0;
  for (let scale = 1; byte > 0x7f; scale *= 128) {
    if (position >= end || scale > 2 ** 35) return fail(cursor, malformed);
    byte = bytes[position++] ?? 0;
    high += (byte & 0x7f) * scale;
  }
  cursor.position = position;
  const magnitude =
    divisor === 1 ? high * 2 ** 27 + (low >>> 1) : quotient(high, low >>> 1, divisor);
  // -(n + 1) divided towards -Infinity is -(n divided towards 0) - 1.
  return low & 1 ? -magnitude - 1 : magnitude;
}

/** Of `high` * 2^27 + `low`; the remainder of `high` is small enough for the rest to be exact. */
function quotient(high: number, low: number, divisor: number): number {
  const remainder = high % divisor;
  return (
    ((high - remainder) / divisor) * 2 ** 27 + Math.floor((remainder * 2 ** 27 + low) / divisor)
  );
}

export function skipVarint(cursor: ByteCursor): void {
  const { bytes, end } = cursor;
  const start = cursor.position;
  const longest = Math.min(end, start + 10);
  let position = start;
  while (position < longest && (bytes[position] ?? 0) > 0x7f) position++;
  if (position >= longest) fail(cursor, malformed);
  else cursor.position = position + 1;
}

export function skipBytes(cursor: ByteCursor, length: number): void {
  if (length > cursor.end - cursor.position) fail(cursor, malformed);
  else cursor.position += length;
}

/** Length prefix of Avro bytes or string: within what is left, or the cursor fails. */
export function readLength(cursor: ByteCursor): number {
  const length = readVarlong(cursor);
  if (length < 0 || length > cursor.end - cursor.position) return fail(cursor, lengthOutOfBounds);
  return length;
}

/** IEEE 754, little-endian, as Avro has it. */
export function readFloat(cursor: ByteCursor): number {
  const { position } = cursor;
  if (position + 4 > cursor.end) return fail(cursor, malformed);
  cursor.position = position + 4;
  return cursor.view.getFloat32(position, true);
}

/** IEEE 754, little-endian, as Avro has it. */
export function readDouble(cursor: ByteCursor): number {
  const { position } = cursor;
  if (position + 8 > cursor.end) return fail(cursor, malformed);
  cursor.position = position + 8;
  return cursor.view.getFloat64(position, true);
}
