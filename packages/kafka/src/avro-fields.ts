import assert from "node:assert/strict";

import {
  maxEventIdBytes,
  maxKeyBytes,
  rejectCode,
  type RecordColumns,
} from "@adstream/engine/columns";

import type { AvroType } from "./avro-schema.ts";
import { categoryUse } from "./avro-categories.ts";
import {
  malformed,
  readDouble,
  readFloat,
  readLength,
  readQuotient,
  readVarlong,
  type ByteCursor,
} from "./byte-cursor.ts";
import {
  type ColumnReader,
  type EventProjection,
  type MeasuredNumber,
  measuredFields,
  type TimeUnit,
} from "./event-projection.ts";
import {
  idNotUtf8,
  idSize,
  keyNotUtf8,
  keySize,
  maxTimeMs,
  notFinite,
  notWhole,
  outOfRange,
  timeOutOfRange,
} from "./field-rejections.ts";
import { validUtf8 } from "./utf8.ts";

const unreadableSchema = rejectCode("unreadable schema");

/** Varints of ints may hold more, and do where a writer is wrong. */
const minInt = -(2 ** 31);
const maxInt = 2 ** 31 - 1;
/** What 64 bits of nanoseconds can say; overlong varints may hold more. */
const [minNanosMs, maxNanosMs] = [-9_223_372_036_855, 9_223_372_036_854];

/** How a projected field is read, whatever its writer made of it. */
export type FieldUse = {
  /** What the writer's type has to be, for messages. */
  readonly due: string;
  /** @returns undefined when the type does not resolve to what is due; never called with unions */
  readerOf(type: AvroType): ColumnReader | undefined;
  /** In place of a null in a union. */
  readonly whenNull: ColumnReader;
  /** In place of a field that the writer lacks. */
  readonly whenMissing: ColumnReader | undefined;
};

/** Uses of the projected fields, by the fields' names. */
export function projectedFields(projection: EventProjection): ReadonlyMap<string, FieldUse> {
  const { key, eventTime, eventTimeUnit = "ms", id } = projection;
  const uses = new Map<string, FieldUse>();
  const add = (field: string, use: FieldUse): void => {
    assert(!uses.has(field), "a projected field has one use");
    uses.set(field, use);
  };
  add(key, keyUse);
  add(eventTime, timeUse(eventTimeUnit));
  if (id !== undefined) add(id, idUse);
  for (const measured of measuredFields(projection)) {
    if ("category" in measured) {
      const { category, firstColumn } = measured;
      add(category.field, categoryUse(category, firstColumn));
      continue;
    }
    const { number, columns } = measured;
    const [column, second] = columns;
    add(
      number.field,
      second === undefined ? numberUse(number, column) : summedToo(number, column, second),
    );
  }
  return uses;
}

/** @returns undefined when the writer's type, or no branch of its union, resolves to what is due */
export function resolveField(type: AvroType, use: FieldUse): ColumnReader | undefined {
  if (type.kind !== "union") return use.readerOf(type);
  const readers = type.branches.map((branch) =>
    branch.kind === "null" ? use.whenNull : use.readerOf(branch),
  );
  const readable = type.branches.some(
    (branch, index) => branch.kind !== "null" && readers[index] !== undefined,
  );
  if (!readable) return undefined;
  return readBranch(readers.map((reader) => reader ?? rejecting(unreadableSchema)));
}

function readBranch(branches: readonly ColumnReader[]): ColumnReader {
  return (cursor, columns, row) => {
    const branch = branches[readVarlong(cursor)];
    return branch === undefined ? malformed : branch(cursor, columns, row);
  };
}

function rejecting(reason: number): ColumnReader {
  return () => reason;
}

const keyUse: FieldUse = {
  due: "a string or bytes",
  readerOf: (type) => (type.kind === "string" || type.kind === "bytes" ? readKey : undefined),
  whenNull: rejecting(keySize),
  whenMissing: undefined,
};

function readKey(cursor: ByteCursor, columns: RecordColumns, row: number): number {
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

const idUse: FieldUse = {
  due: "a string or bytes",
  readerOf: (type) => (type.kind === "string" || type.kind === "bytes" ? readId : undefined),
  whenNull: noId,
  whenMissing: noId,
};

function readId(cursor: ByteCursor, columns: RecordColumns, row: number): number {
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

function noId(_cursor: ByteCursor, columns: RecordColumns, row: number): 0 {
  columns.idLength[row] = 0;
  return 0;
}

const logicalUnits: Readonly<Record<string, TimeUnit>> = {
  "timestamp-millis": "ms",
  "timestamp-micros": "us",
  "timestamp-nanos": "ns",
};

/** @param plainUnit of longs and ints that do not say their own */
function timeUse(plainUnit: TimeUnit): FieldUse {
  return {
    due: "a timestamp in ms, µs or ns",
    readerOf(type) {
      if (type.kind !== "long" && type.kind !== "int") return undefined;
      const { kind, logicalType } = type;
      const unit = logicalType === undefined ? plainUnit : logicalUnits[logicalType];
      if (kind === "int") {
        const millis = logicalType === undefined && unit === "ms";
        return millis ? readMillis(minInt, maxInt) : undefined;
      }
      return unit === undefined ? undefined : timeReaders[unit];
    },
    whenNull: rejecting(timeOutOfRange),
    whenMissing: undefined,
  };
}

function readMillis(min: number, max: number): ColumnReader {
  return (cursor, columns, row) => {
    const timeMs = readVarlong(cursor);
    if (timeMs < min || timeMs > max) return timeOutOfRange;
    columns.eventTime[row] = timeMs;
    return 0;
  };
}

function readMicros(cursor: ByteCursor, columns: RecordColumns, row: number): number {
  const timeUs = readVarlong(cursor);
  if (!Number.isSafeInteger(timeUs)) return timeOutOfRange;
  columns.eventTime[row] = Math.floor(timeUs / 1000);
  return 0;
}

/** Nanoseconds of today are beyond what a number holds exactly, so they are divided before they are one. */
function readNanos(cursor: ByteCursor, columns: RecordColumns, row: number): number {
  const timeMs = readQuotient(cursor, 1e6);
  if (timeMs < minNanosMs || timeMs > maxNanosMs) return timeOutOfRange;
  columns.eventTime[row] = timeMs;
  return 0;
}

const timeReaders: Readonly<Record<TimeUnit, ColumnReader>> = {
  ms: readMillis(-maxTimeMs, maxTimeMs),
  us: readMicros,
  ns: readNanos,
};

function numberUse(projection: MeasuredNumber, column: number): FieldUse {
  const { min, max, default: fallback } = projection;
  return {
    due: "a number",
    readerOf(type) {
      switch (type.kind) {
        case "int":
          return readInteger(column, Math.max(min, minInt), Math.min(max, maxInt));
        case "long":
          return readInteger(
            column,
            Math.max(min, Number.MIN_SAFE_INTEGER),
            Math.min(max, Number.MAX_SAFE_INTEGER),
          );
        case "float":
          return readFloating(readFloat, column, projection);
        case "double":
          return readFloating(readDouble, column, projection);
        default:
          return undefined;
      }
    },
    whenNull: rejecting(notFinite),
    whenMissing:
      fallback === undefined
        ? undefined
        : (_cursor, columns, row) => storeNumber(columns, column, row, fallback),
  };
}

/** A number that is summed in one column and whose highest is kept in another: both hold it. */
function summedToo(maximum: MeasuredNumber, from: number, to: number): FieldUse {
  const use = numberUse(maximum, from);
  const copying =
    (read: ColumnReader): ColumnReader =>
    (cursor, columns, row) =>
      read(cursor, columns, row) ||
      storeNumber(columns, to, row, columns.values[from]?.[row] ?? Number.NaN);
  return {
    ...use,
    readerOf(type) {
      const read = use.readerOf(type);
      return read && copying(read);
    },
    whenMissing: use.whenMissing && copying(use.whenMissing),
  };
}

function readInteger(column: number, min: number, max: number): ColumnReader {
  return (cursor, columns, row) => {
    const value = readVarlong(cursor);
    if (value < min || value > max) return outOfRange;
    return storeNumber(columns, column, row, value);
  };
}

function readFloating(
  read: (cursor: ByteCursor) => number,
  column: number,
  { min, max, whole }: MeasuredNumber,
): ColumnReader {
  return (cursor, columns, row) => {
    const value = read(cursor);
    if (!Number.isFinite(value)) return notFinite;
    if (value < min || value > max) return outOfRange;
    if (whole && !Number.isInteger(value)) return notWhole;
    return storeNumber(columns, column, row, value);
  };
}

function storeNumber(columns: RecordColumns, column: number, row: number, value: number): 0 {
  const values = columns.values[column];
  if (values !== undefined) values[row] = value;
  return 0;
}
