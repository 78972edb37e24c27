import { type RecordColumns, rejectCode } from "@adstream/engine/columns";

import { type Range, readFloat64, readInteger, readKey, readMillis } from "./avro-values.ts";
import type { ColumnReader, FieldReader, UsualReader } from "./value-rows.ts";

const trailingBytes = rejectCode("trailing bytes");
/** Longer keys are read byte by byte. */
const shortKey = 63;

/** Keys of at most 63 bytes of ASCII: their length is a varint of one byte. */
export const keyField: FieldReader = {
  row: readKey,
  usual: {
    columnsOf: ({ keyStart, keyLength }) => [keyStart, keyLength],
    read(bytes, view, at, end, row, keyStart, keyLength) {
      const zigzag = bytes[at] ?? 1;
      const length = zigzag >>> 1;
      const start = at + 1;
      const next = start + length;
      const short = (zigzag & 1) === 0 && length > 0 && length <= shortKey && next <= end;
      if (!short || !isAscii(bytes, view, start, next)) return -1;
      keyStart[row] = start;
      keyLength[row] = length;
      return next;
    },
  },
};

/** By words, of which the last may overlap the one before it. */
function isAscii(bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
  const last = end - 4;
  let high = 0;
  if (last >= start) {
    for (let at = start; at < last; at += 4) high |= view.getInt32(at, true);
    high |= view.getInt32(last, true);
  } else {
    for (let at = start; at < end; at++) high |= (bytes[at] ?? 0) << 24;
  }
  return (high & 0x80808080) === 0;
}

/** Times from 1970 to 2039 in milliseconds, but for the first 18 minutes. */
export function millisField(allowed: Range): FieldReader {
  const { min, max } = allowed;
  const read: UsualReader = (_bytes, view, at, end, row, eventTime) => {
    if (at + 6 > end) return -1;
    // Six bytes, of which all but the last say that more follow, of an even number: not negative.
    const low = view.getInt32(at, true);
    const high = view.getUint16(at + 4, true);
    if ((low & 0x80808081) !== (0x80808080 | 0) || (high & 0x8080) !== 0x80) return -1;
    const pairs = (low & 0x7f007f) | ((low & 0x7f007f00) >>> 1);
    const lowBits = (pairs & 0x3fff) | ((pairs & 0x3fff0000) >>> 2);
    const timeMs = ((high & 0x7f) | ((high & 0x7f00) >>> 1)) * 2 ** 27 + (lowBits >>> 1);
    if (timeMs < min || timeMs > max) return -1;
    eventTime[row] = timeMs;
    return at + 6;
  };
  return {
    row: (cursor, columns, row) => readMillis(cursor, columns, row, allowed),
    usual: { columnsOf: ({ eventTime }) => [eventTime], read },
  };
}

/** Integers from -64 to 63, or -8192 to 8191: varints of one byte or two. */
export function integerField(column: number, allowed: Range): FieldReader {
  const { min, max } = allowed;
  const read: UsualReader = (bytes, _view, at, end, row, values) => {
    let zigzag = bytes[at] ?? 0;
    let next = at + 1;
    if (zigzag > 0x7f) zigzag = (zigzag & 0x7f) | ((bytes[next++] ?? 0) << 7);
    const value = (zigzag >>> 1) ^ -(zigzag & 1);
    if (zigzag >= 1 << 14 || next > end || value < min || value > max) return -1;
    values[row] = value;
    return next;
  };
  return {
    row: (cursor, columns, row) => readInteger(cursor, valuesOf(columns, column), row, allowed),
    usual: { columnsOf: (columns) => [valuesOf(columns, column)], read },
  };
}

export function float64Field(
  column: number,
  allowed: Range & { readonly whole: boolean },
): FieldReader {
  const { min, max } = allowed;
  const row: ColumnReader = (cursor, columns, at) =>
    readFloat64(cursor, valuesOf(columns, column), at, allowed);
  if (allowed.whole) return { row };
  const read: UsualReader = (_bytes, view, at, end, to, values) => {
    const value = at + 8 <= end ? view.getFloat64(at, true) : Number.NaN;
    if (!(value >= min && value <= max)) return -1;
    values[to] = value;
    return at + 8;
  };
  return { row, usual: { columnsOf: (columns) => [valuesOf(columns, column)], read } };
}

/** A field that is skipped and mostly null, which is the first branch of its union. `row` skips all of it. */
export function nullField(row: ColumnReader): FieldReader {
  const read: UsualReader = (bytes, _view, at, end) => (at < end && bytes[at] === 0 ? at + 1 : -1);
  return { row, usual: { columnsOf: () => [], read } };
}

/** Nothing may be left. */
export const noMore: FieldReader = {
  row: ({ position, end }) => (position === end ? 0 : trailingBytes),
  usual: {
    columnsOf: () => [],
    read: (_bytes, _view, at, end) => (at === end ? at : -1),
  },
};

/** @throws {RangeError} when the columns were made for another projection */
export function valuesOf({ values }: RecordColumns, column: number): Float64Array {
  const found = values[column];
  if (found === undefined) throw new RangeError(`columns have no values ${column}`);
  return found;
}
