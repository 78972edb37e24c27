import assert from "node:assert/strict";

import { maxKeyBytes, rejectCode, type RecordColumns } from "@adstream/engine/columns";
import { StreamError } from "@adstream/engine/errors";

import { parseAvroSchema, type AvroRecord, type AvroType } from "./avro-schema.ts";
import { createSkippers, type Skipper } from "./avro-skip.ts";
import {
  malformed,
  readDouble,
  readFloat,
  readLength,
  readVarlong,
  type ByteCursor,
} from "./byte-cursor.ts";
import { validUtf8 } from "./utf8.ts";

/** Which top-level fields of an event become columns. A field has one use. */
export type EventProjection = {
  /** A string, or bytes that hold UTF-8. */
  readonly key: string;
  /** timestamp-millis, timestamp-micros, or a plain int or long of epoch ms. */
  readonly eventTime: string;
  /** Columns of `RecordColumns.values`, in this order. */
  readonly numbers: readonly NumberProjection[];
};

export type NumberProjection = {
  readonly field: string;
  /** Inclusive. */
  readonly min: number;
  /** Inclusive. */
  readonly max: number;
  /** Stands in where the writer's schema lacks the field; without it such a schema is unreadable. */
  readonly default?: number;
};

/**
 * Reads the Avro datum between the cursor's position and its end into row `row`.
 *
 * @returns 0, or the number of the reason why the record is rejected
 */
export type AvroColumnReader = (cursor: ByteCursor, columns: RecordColumns, row: number) => number;

const trailingBytes = rejectCode("trailing bytes");
const unreadableSchema = rejectCode("unreadable schema");
const keySize = rejectCode("key empty or longer than 256 bytes");
const keyNotUtf8 = rejectCode("key not UTF-8");
const notFinite = rejectCode("number not finite");
const outOfRange = rejectCode("number out of range");
const timeOutOfRange = rejectCode("timestamp out of range");

/** What `Date` can hold. */
const maxTimeMs = 8.64e15;
/** Varints of ints may hold more, and do where a writer is wrong. */
const minInt = -(2 ** 31);
const maxInt = 2 ** 31 - 1;

/**
 * Composes the reader of events written with one schema: a small reader per field, in the writer's order. Projected
 * fields follow Avro's resolution (promotions, unions with null, defaults); others are skipped by their type.
 *
 * In a union, null rejects the record for its key size, its time range or a number that is not finite; another
 * branch that cannot be read rejects it as "unreadable schema".
 *
 * @throws {StreamError} SCHEMA_UNREADABLE naming the field and the schema
 */
export function composeReader(
  writerSchemaJson: string,
  projection: EventProjection,
): AvroColumnReader {
  const type = parseAvroSchema(writerSchemaJson);
  if (type.kind !== "record") throw unreadable(`schema is a ${type.kind}, not a record`);
  const projected = projectedFields(projection);
  const skipper = createSkippers();
  const fields = type.fields.map((field) => {
    const use = projected.get(field.name);
    if (use === undefined) return skipping(skipper(field.type));
    const reader = resolve(field.type, use);
    if (reader !== undefined) return reader;
    throw unreadable(`field ${field.name} of schema ${type.name} is not ${use.due}`);
  });
  return readRecord([...missingFields(type, projected), ...fields]);
}

/** Fills in defaults for what the writer lacks. */
function missingFields(
  { name, fields }: AvroRecord,
  projected: ReadonlyMap<string, FieldUse>,
): AvroColumnReader[] {
  const written = new Set(fields.map((field) => field.name));
  return [...projected]
    .filter(([field]) => !written.has(field))
    .map(([field, use]) => {
      if (use.whenMissing !== undefined) return use.whenMissing;
      throw unreadable(`schema ${name} has no field ${field}, and there is no default for it`);
    });
}

/** Loops over the fields; what is left unread must be nothing. */
function readRecord(fields: readonly AvroColumnReader[]): AvroColumnReader {
  return (cursor, columns, row) => {
    for (const readField of fields) {
      const rejected = readField(cursor, columns, row);
      // What a faulty cursor returns may look out of range: the fault comes first.
      if (rejected !== 0) return cursor.fault === 0 ? rejected : cursor.fault;
    }
    if (cursor.fault !== 0) return cursor.fault;
    return cursor.position === cursor.end ? 0 : trailingBytes;
  };
}

/** How a projected field is read, whatever its writer made of it. */
type FieldUse = {
  /** What the writer's type has to be, for messages. */
  readonly due: string;
  /** @returns undefined when the type does not resolve to what is due; never called with unions */
  readerOf(type: AvroType): AvroColumnReader | undefined;
  /** Reason for a null in a union. */
  readonly whenNull: number;
  /** In place of a field that the writer lacks. */
  readonly whenMissing: AvroColumnReader | undefined;
};

function projectedFields({
  key,
  eventTime,
  numbers,
}: EventProjection): ReadonlyMap<string, FieldUse> {
  const uses = new Map([
    [key, keyUse],
    [eventTime, timeUse],
  ]);
  for (const [column, number] of numbers.entries())
    uses.set(number.field, numberUse(number, column));
  assert.equal(uses.size, numbers.length + 2, "a projected field has one use");
  return uses;
}

function resolve(type: AvroType, use: FieldUse): AvroColumnReader | undefined {
  if (type.kind !== "union") return use.readerOf(type);
  const readers = type.branches.map((branch) =>
    branch.kind === "null" ? rejecting(use.whenNull) : use.readerOf(branch),
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
  whenNull: keySize,
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
  whenNull: timeOutOfRange,
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
    whenNull: notFinite,
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

function skipping(skip: Skipper): AvroColumnReader {
  return (cursor) => {
    skip(cursor);
    return 0;
  };
}

function unreadable(message: string): StreamError {
  return new StreamError("SCHEMA_UNREADABLE", "dead-letter", message);
}
