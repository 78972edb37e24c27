import { type RecordColumns, rejectCode } from "@adstream/engine/columns";

import { type Range, readFloat64, readInteger, readKey, readMillis } from "./avro-values.ts";
import type { ByteCursor } from "./byte-cursor.ts";
import { type ColumnReader, type FieldReader, readRow, type RowsReader } from "./value-rows.ts";

const trailingBytes = rejectCode("trailing bytes");
/** Longer keys are read byte by byte. */
const shortKey = 63;

/*
 * Loops for what nearly every event has, in its usual form: without a call, and with nothing but local names. Whatever is
 * not of that form goes to the reader of one row, which knows all forms and says what is wrong.
 */

/** Keys of at most 63 bytes of ASCII: their length is a varint of one byte. */
export const keyField: FieldReader = {
  row: readKey,
  rows(cursor, columns, from, to) {
    const { rejected, unread, unreadEnd, keyStart, keyLength } = columns;
    const { bytes, view } = cursor;
    for (let row = from; row < to; row++) {
      if (rejected[row] !== 0) continue;
      const at = unread[row] ?? 0;
      const length = (bytes[at] ?? 0) >>> 1;
      const start = at + 1;
      const end = start + length;
      const usual = (bytes[at] ?? 1) % 2 === 0 && length > 0 && length <= shortKey;
      if (usual && end <= (unreadEnd[row] ?? 0) && isAscii(bytes, view, start, end)) {
        keyStart[row] = start;
        keyLength[row] = length;
        unread[row] = end;
      } else {
        readRow(cursor, columns, row, readKey);
      }
    }
  },
};

function isAscii(bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
  let high = 0;
  let at = start;
  for (; at + 4 <= end; at += 4) high |= view.getInt32(at, true);
  for (; at < end; at++) high |= (bytes[at] ?? 0) << 24;
  return (high & 0x80808080) === 0;
}

/** Times from 1970 to 2039 in milliseconds, but for the first 18 minutes. */
export function millisField(allowed: Range): FieldReader {
  const one: ColumnReader = (cursor, columns, row) => readMillis(cursor, columns, row, allowed);
  return {
    row: one,
    rows(cursor, columns, from, to) {
      const { rejected, unread, unreadEnd, eventTime } = columns;
      const { view } = cursor;
      const { min, max } = allowed;
      for (let row = from; row < to; row++) {
        if (rejected[row] !== 0) continue;
        const at = unread[row] ?? 0;
        if (at + 6 <= (unreadEnd[row] ?? 0)) {
          // Six bytes, of which all but the last say that more follow, of an even number: not negative.
          const low = view.getInt32(at, true);
          const high = view.getUint16(at + 4, true);
          if ((low & 0x80808081) === (0x80808080 | 0) && (high & 0x8080) === 0x80) {
            const lowBits =
              ((low & 0x7e) >>> 1) |
              ((low & 0x7f00) >>> 2) |
              ((low & 0x7f0000) >>> 3) |
              ((low & 0x7f000000) >>> 4);
            const timeMs = ((high & 0x7f) | ((high & 0x7f00) >>> 1)) * 2 ** 27 + lowBits;
            if (timeMs >= min && timeMs <= max) {
              eventTime[row] = timeMs;
              unread[row] = at + 6;
              continue;
            }
          }
        }
        readRow(cursor, columns, row, one);
      }
    },
  };
}

/** Integers from -64 to 63, or -8192 to 8191: varints of one byte or two. */
export function integerField(column: number, allowed: Range): FieldReader {
  const one: ColumnReader = (cursor, columns, row) =>
    readInteger(cursor, valuesOf(columns, column), row, allowed);
  return {
    row: one,
    rows(cursor, columns, from, to) {
      const { rejected, unread, unreadEnd } = columns;
      const { bytes } = cursor;
      const { min, max } = allowed;
      const values = valuesOf(columns, column);
      for (let row = from; row < to; row++) {
        if (rejected[row] !== 0) continue;
        const at = unread[row] ?? 0;
        let zigzag = bytes[at] ?? 0;
        let next = at + 1;
        if (zigzag > 0x7f) zigzag = (zigzag & 0x7f) | ((bytes[next++] ?? 0x80) << 7);
        const value = (zigzag >>> 1) ^ -(zigzag & 1);
        if (zigzag < 1 << 14 && next <= (unreadEnd[row] ?? 0) && value >= min && value <= max) {
          values[row] = value;
          unread[row] = next;
        } else {
          readRow(cursor, columns, row, one);
        }
      }
    },
  };
}

export function float64Field(
  column: number,
  allowed: Range & { readonly whole: boolean },
): FieldReader {
  const one: ColumnReader = (cursor, columns, row) =>
    readFloat64(cursor, valuesOf(columns, column), row, allowed);
  return {
    row: one,
    rows(cursor, columns, from, to) {
      const { rejected, unread, unreadEnd } = columns;
      const { view } = cursor;
      const { min, max, whole } = allowed;
      const values = valuesOf(columns, column);
      for (let row = from; row < to; row++) {
        if (rejected[row] !== 0) continue;
        const at = unread[row] ?? 0;
        const value = at + 8 <= (unreadEnd[row] ?? 0) ? view.getFloat64(at, true) : Number.NaN;
        if (!whole && value >= min && value <= max) {
          values[row] = value;
          unread[row] = at + 8;
        } else {
          readRow(cursor, columns, row, one);
        }
      }
    },
  };
}

/** A field that is skipped and mostly null, which is the first branch of its union. `one` skips all of it. */
export function nullSkipper(one: ColumnReader): RowsReader {
  return (cursor, columns, from, to) => {
    const { rejected, unread, unreadEnd } = columns;
    const { bytes } = cursor;
    for (let row = from; row < to; row++) {
      if (rejected[row] !== 0) continue;
      const at = unread[row] ?? 0;
      if (bytes[at] === 0 && at < (unreadEnd[row] ?? 0)) unread[row] = at + 1;
      else readRow(cursor, columns, row, one);
    }
  };
}

/** Nothing may be left. */
export function expectEnd(
  _cursor: ByteCursor,
  { rejected, unread, unreadEnd }: RecordColumns,
  from: number,
  to: number,
): void {
  for (let row = from; row < to; row++) {
    if (unread[row] !== unreadEnd[row] && rejected[row] === 0) rejected[row] = trailingBytes;
  }
}

/** @throws {RangeError} when the columns were made for another projection */
export function valuesOf({ values }: RecordColumns, column: number): Float64Array {
  const found = values[column];
  if (found === undefined) throw new RangeError(`columns have no values ${column}`);
  return found;
}
