import assert from "node:assert/strict";

import {
  maxEventIdBytes,
  maxKeyBytes,
  rejectCode,
  type RecordColumns,
} from "@adstream/engine/columns";

import type { AvroColumnReader, EventProjection, NumberProjection } from "./avro-columns.ts";
import type { AvroType } from "./avro-schema.ts";
import {
  malformed,
  readDouble,
  readFloat,
  readLength,
  readVarlong,
  type ByteCursor,
} from "./byte-cursor.ts";
import { validUtf8 } from "./utf8.ts";

const unreadableSchema = rejectCode("unreadable schema");
const keySize = rejectCode("key empty or longer than 256 bytes");
const keyNotUtf8 = rejectCode("key not UTF-8");
const idSize = rejectCode("event id empty or longer than 256 bytes");
const idNotUtf8 = rejectCode("event id not UTF-8");
const notFinite = rejectCode("number not finite");
const outOfRange = rejectCode("number out of range");
const timeOutOfRange = rejectCode("timestamp out of range");

/** What `Date` can hold. */
const maxTimeMs = 8.64e15;
/** Varints of ints may hold more, and do where a writer is wrong. */
const minInt = -(2 ** 31);
const maxInt = 2 ** 31 - 1;

/** How a projected field is read, whatever its writer made of it. */
export type FieldUse = {
  /** What the writer's type has to be, for messages. */
  readonly due: string;
  /** @returns undefined when the type does not resolve to what is due; never called with unions */
  readerOf(type: AvroType): AvroColumnReader | undefined;
  /** In place of a null in a union. */
  readonly whenNull: AvroColumnReader;
  /** In place of a field that the writer lacks. */
  readonly whenMissing: AvroColumnReader | undefined;
};

/** Uses of the projected fields, by the fields' names. */
export function projectedFields({
  key,
  eventTime,
  id,
  numbers,
}: EventProjection): ReadonlyMap<string, FieldUse> {
  const uses = new Map([
    [key, keyUse],
    [eventTime, timeUse],
  ]);
  if (id !== undefined) uses.set(id, idUse);
  for (const [column, number] of numbers.entries())
    uses.set(number.field, numberUse(number, column));
  const projected = numbers.length + (id === undefined ? 2 : 3);
  assert.equal(uses.size, projected, "a projected field has one use");
  return uses;
}

/** @returns undefined when the writer's type, or no branch of its union, resolves to what is due */
export function resolveField(type: AvroType, use: FieldUse): AvroColumnReader | undefined {
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

function readBranch(branches: readonly AvroColumnReader[]): AvroColumnReader {
  return (cursor, columns, row) => {
    const branch = branches[readVarlong(cursor)];
    return branch === undefined ? malformed : branch(cursor, columns, row);
  };
}

function rejecting(reason: number): AvroColumnReader {
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

const timeUse: FieldUse = {
  due: "a timestamp in ms or µs",
  readerOf(type) {
    if (type.kind !== "long" && type.kind !== "int") return undefined;
    const { kind, logicalType } = type;
    if (kind === "int") return logicalType === undefined ? readMillis(minInt, maxInt) : undefined;
    if (logicalType === "timestamp-micros") return readMicros;
    const millis = logicalType === undefined || logicalType === "timestamp-millis";
    return millis ? readMillis(-maxTimeMs, maxTimeMs) : undefined;
  },
  whenNull: rejecting(timeOutOfRange),
  whenMissing: undefined,
};

function readMillis(min: number, max: number): AvroColumnReader {
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

function numberUse(projection: NumberProjection, column: number): FieldUse {
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

function readInteger(column: number, min: number, max: number): AvroColumnReader {
  return (cursor, columns, row) => {
    const value = readVarlong(cursor);
    if (value < min || value > max) return outOfRange;
    return storeNumber(columns, column, row, value);
  };
}

function readFloating(
  read: (cursor: ByteCursor) => number,
  column: number,
  { min, max }: NumberProjection,
): AvroColumnReader {
  return (cursor, columns, row) => {
    const value = read(cursor);
    if (!Number.isFinite(value)) return notFinite;
    if (value < min || value > max) return outOfRange;
    return storeNumber(columns, column, row, value);
  };
}

function storeNumber(columns: RecordColumns, column: number, row: number, value: number): 0 {
  const values = columns.values[column];
  if (values !== undefined) values[row] = value;
  return 0;
}
