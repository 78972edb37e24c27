import assert from "node:assert/strict";

import { rejectCode } from "@adstream/engine/columns";

import type { AvroType } from "./avro-schema.ts";
import { categoryUse } from "./avro-categories.ts";
import { float64Field, integerField, keyField, millisField, valuesOf } from "./usual-fields.ts";
import { noId, type Range, readFloat32, readId, readMicros, readNanos } from "./avro-values.ts";
import { malformed, readVarlong } from "./byte-cursor.ts";
import {
  type EventProjection,
  type MeasuredNumber,
  measuredFields,
  type TimeUnit,
} from "./event-projection.ts";
import type { FieldUse } from "./field-use.ts";
import { keySize, maxTimeMs, notFinite, timeOutOfRange } from "./field-rejections.ts";
import type { ColumnReader, FieldReader } from "./value-rows.ts";

const unreadableSchema = rejectCode("unreadable schema");

/** Varints of ints may hold more, and do where a writer is wrong. */
const ints: Range = { min: -(2 ** 31), max: 2 ** 31 - 1 };

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
export function resolveField(type: AvroType, use: FieldUse): FieldReader | undefined {
  if (type.kind !== "union") return use.readerOf(type);
  const readers = type.branches.map((branch) =>
    branch.kind === "null" ? use.whenNull : use.readerOf(branch)?.row,
  );
  const readable = type.branches.some(
    (branch, index) => branch.kind !== "null" && readers[index] !== undefined,
  );
  if (!readable) return undefined;
  return { row: readBranch(readers.map((reader) => reader ?? rejecting(unreadableSchema))) };
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
  readerOf: (type) => (type.kind === "string" || type.kind === "bytes" ? keyField : undefined),
  whenNull: rejecting(keySize),
  whenMissing: undefined,
};

const idUse: FieldUse = {
  due: "a string or bytes",
  readerOf: (type) =>
    type.kind === "string" || type.kind === "bytes" ? { row: readId } : undefined,
  whenNull: noId,
  whenMissing: noId,
};

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
        return millis ? millisField(ints) : undefined;
      }
      return unit === undefined ? undefined : timeReaders[unit];
    },
    whenNull: rejecting(timeOutOfRange),
    whenMissing: undefined,
  };
}

const timeReaders: Readonly<Record<TimeUnit, FieldReader>> = {
  ms: millisField({ min: -maxTimeMs, max: maxTimeMs }),
  us: { row: readMicros },
  ns: { row: readNanos },
};

function numberUse(projection: MeasuredNumber, column: number): FieldUse {
  const { min, max, default: fallback } = projection;
  return {
    due: "a number",
    readerOf(type) {
      switch (type.kind) {
        case "int":
          return integerField(column, {
            min: Math.max(min, ints.min),
            max: Math.min(max, ints.max),
          });
        case "long":
          return integerField(column, {
            min: Math.max(min, Number.MIN_SAFE_INTEGER),
            max: Math.min(max, Number.MAX_SAFE_INTEGER),
          });
        case "float":
          return {
            row: (cursor, columns, row) =>
              readFloat32(cursor, valuesOf(columns, column), row, projection),
          };
        case "double":
          return float64Field(column, projection);
        default:
          return undefined;
      }
    },
    whenNull: rejecting(notFinite),
    whenMissing:
      fallback === undefined
        ? undefined
        : (_cursor, columns, row) => {
            valuesOf(columns, column)[row] = fallback;
            return 0;
          },
  };
}

/** A number that is summed in one column and whose highest is kept in another: both hold it. */
function summedToo(maximum: MeasuredNumber, from: number, to: number): FieldUse {
  const use = numberUse(maximum, from);
  const copying =
    (read: ColumnReader): ColumnReader =>
    (cursor, columns, row) => {
      const rejected = read(cursor, columns, row);
      if (rejected === 0) valuesOf(columns, to)[row] = valuesOf(columns, from)[row] ?? Number.NaN;
      return rejected;
    };
  return {
    ...use,
    readerOf(type) {
      const read = use.readerOf(type);
      return read && { row: copying(read.row) };
    },
    whenMissing: use.whenMissing && copying(use.whenMissing),
  };
}
