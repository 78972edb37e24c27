import { maxEventIdBytes, maxKeyBytes, type RecordColumns } from "@adstream/engine/columns";

import {
  readDouble,
  readFloat,
  readLength,
  readQuotient,
  readVarlong,
  type ByteCursor,
} from "./byte-cursor.ts";
import {
  idNotUtf8,
  idSize,
  keyNotUtf8,
  keySize,
  notFinite,
  notWhole,
  outOfRange,
  timeOutOfRange,
} from "./field-rejections.ts";
import { validUtf8 } from "./utf8.ts";

/** Inclusive. */
export type Range = { readonly min: number; readonly max: number };

/** What 64 bits of nanoseconds can say; overlong varints may hold more. */
const [minNanosMs, maxNanosMs] = [-9_223_372_036_855, 9_223_372_036_854];

/** Each reads one value at the cursor into its row. @returns 0, or the number of a reason; the cursor may fail as well */
export function readKey(cursor: ByteCursor, columns: RecordColumns, row: number): number {
  const length = readLength(cursor);
  if (length === 0 || length > maxKeyBytes) return keySize;
  const start = cursor.position;
  const end = start + length;
  if (!validUtf8(cursor.bytes, start, end)) return keyNotUtf8;
  columns.keyStart[row] = start;
  columns.keyLength[row] = length;
  cursor.position = end;
  return 0;
}

export function readId(cursor: ByteCursor, columns: RecordColumns, row: number): number {
  const length = readLength(cursor);
  if (length === 0 || length > maxEventIdBytes) return idSize;
  const start = cursor.position;
  const end = start + length;
  if (!validUtf8(cursor.bytes, start, end)) return idNotUtf8;
  columns.idStart[row] = start;
  columns.idLength[row] = length;
  cursor.position = end;
  return 0;
}

export function noId(_cursor: ByteCursor, columns: RecordColumns, row: number): 0 {
  columns.idLength[row] = 0;
  return 0;
}

export function readMillis(
  cursor: ByteCursor,
  columns: RecordColumns,
  row: number,
  { min, max }: Range,
): number {
  const timeMs = readVarlong(cursor);
  if (timeMs < min || timeMs > max) return timeOutOfRange;
  columns.eventTime[row] = timeMs;
  return 0;
}

export function readMicros(cursor: ByteCursor, columns: RecordColumns, row: number): number {
  const timeUs = readVarlong(cursor);
  if (!Number.isSafeInteger(timeUs)) return timeOutOfRange;
  columns.eventTime[row] = Math.floor(timeUs / 1000);
  return 0;
}

/** Nanoseconds of today are beyond what a number holds exactly, so they are divided before they are one. */
export function readNanos(cursor: ByteCursor, columns: RecordColumns, row: number): number {
  const timeMs = readQuotient(cursor, 1e6);
  if (timeMs < minNanosMs || timeMs > maxNanosMs) return timeOutOfRange;
  columns.eventTime[row] = timeMs;
  return 0;
}

export function readInteger(
  cursor: ByteCursor,
  column: Float64Array,
  row: number,
  { min, max }: Range,
): number {
  const value = readVarlong(cursor);
  if (value < min || value > max) return outOfRange;
  column[row] = value;
  return 0;
}

export function readFloat64(
  cursor: ByteCursor,
  column: Float64Array,
  row: number,
  allowed: Range & { readonly whole: boolean },
): number {
  return storeFloating(readDouble(cursor), column, row, allowed);
}

export function readFloat32(
  cursor: ByteCursor,
  column: Float64Array,
  row: number,
  allowed: Range & { readonly whole: boolean },
): number {
  return storeFloating(readFloat(cursor), column, row, allowed);
}

function storeFloating(
  value: number,
  column: Float64Array,
  row: number,
  { min, max, whole }: Range & { readonly whole: boolean },
): number {
  if (!Number.isFinite(value)) return notFinite;
  if (value < min || value > max) return outOfRange;
  if (whole && !Number.isInteger(value)) return notWhole;
  column[row] = value;
  return 0;
}
