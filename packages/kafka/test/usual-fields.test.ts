import { createColumns, type RecordColumns } from "@adstream/engine/columns";
import * as fc from "fast-check";
import { expect, test } from "vitest";

import { beginReading, nextRecord } from "../src/batch-reading.ts";
import { createCursor, malformed } from "../src/byte-cursor.ts";
import { outOfRange } from "../src/field-rejections.ts";
import { fuseFields } from "../src/fuse-fields.ts";
import { openBatch } from "../src/record-batch.ts";
import {
  float64Field,
  integerField,
  keyField,
  millisField,
  noMore,
  nullField,
} from "../src/usual-fields.ts";
import { eachRow, type EventReader, type FieldReader, type RowsReader } from "../src/value-rows.ts";
import { frame, frameBytes } from "../src/wire-format.ts";
import { encodeBatch, varint } from "./encode-batch.ts";

const double = (value: number): number[] => [...new Uint8Array(Float64Array.of(value).buffer)];
const text = (content: string): number[] => [
  ...varint(Buffer.byteLength(content)),
  ...Buffer.from(content),
];
/** Around the ends of the usual forms: of one byte, of two, and of six, either sign. */
const edges = [
  0,
  1,
  63,
  64,
  8_191,
  8_192,
  2 ** 27,
  2 ** 34 - 1,
  2 ** 34,
  2 ** 38,
  2 ** 41 - 1,
  2 ** 41,
];
const integer = fc.oneof(
  fc.constantFrom(...edges.flatMap((edge) => [edge, -edge, -edge - 1])),
  fc.integer({ min: -(2 ** 43), max: 2 ** 43 }),
);
/** Reads one byte, and rejects some. */
const oneByte: FieldReader = {
  row(cursor) {
    const byte = cursor.bytes[cursor.position] ?? 0;
    if (cursor.position >= cursor.end) return malformed;
    cursor.position++;
    return byte < 200 ? 0 : outOfRange;
  },
};
const raw = fc.uint8Array({ maxLength: 12 }).map((bytes) => [...bytes]);
const number = fc.oneof(
  { weight: 4, arbitrary: integer.map((value) => varint(value)) },
  { weight: 1, arbitrary: raw },
);
const kinds: [string, FieldReader, fc.Arbitrary<number[]>][] = [
  [
    "keys",
    keyField,
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 6 }).map(text),
      fc
        .constantFrom(0, 1, 3, 4, 5, 62, 63, 64, 65, 256, 257)
        .map((size) => text("k".repeat(size))),
      // A length below zero, with bytes behind it.
      fc.integer({ min: -5, max: 5 }).map((length) => [...varint(length), 97, 98, 99, 100]),
      raw,
    ),
  ],
  ["times", millisField({ min: -8.64e15, max: 8.64e15 }), number],
  ["times of some years", millisField({ min: 2 ** 39, max: 2 ** 40 }), number],
  ["times of an int", millisField({ min: -(2 ** 31), max: 2 ** 31 - 1 }), number],
  ["integers", integerField(0, { min: -64, max: 8_191 }), number],
  ["integers of a few", integerField(0, { min: -3, max: 100 }), number],
  ["integers of any size", integerField(1, { min: -(2 ** 50), max: 2 ** 50 }), number],
  [
    "doubles",
    float64Field(2, { min: -1, max: 100, whole: false }),
    fc.oneof(fc.double().map(double), fc.constantFrom(-1, 100, 100.5, -1.5).map(double), raw),
  ],
  [
    "whole doubles",
    float64Field(3, { min: -1, max: 100, whole: true }),
    fc.oneof(fc.constantFrom(0, 1, 0.5, -1, 101).map(double), raw),
  ],
  ["what is skipped", nullField(oneByte.row), fc.oneof(fc.constant<number[]>([0]), raw)],
  ["what has no usual form", oneByte, fc.nat(255).map((byte) => [byte])],
  [
    "the end",
    noMore,
    fc.oneof({ weight: 4, arbitrary: fc.constant<number[]>([]) }, fc.constant<number[]>([0])),
  ],
];

test.each(kinds)("%s of many rows are what they are row by row", (_, field, value) => {
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 8 }), fc.nat(3), (values, cut) => {
      expectAlike([field], values, cut);
    }),
    { numRuns: 3_000 },
  );
});

/** Fields in any order, each as often as it comes, and rows of them. */
const records = fc
  .array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 7 })
  .chain((chosen) =>
    fc.record({
      fields: fc.constant(chosen.map(([, field]) => field)),
      values: fc.array(
        fc.tuple(...chosen.map(([, , value]) => value)).map((parts) => parts.flat()),
        { minLength: 1, maxLength: 6 },
      ),
    }),
  );

test("fields that are read together are what they are one by one", () => {
  fc.assert(
    fc.property(records, fc.nat(3), ({ fields, values }, cut) => {
      expectAlike(fields, values, cut);
    }),
    { numRuns: 3_000 },
  );
});

function expectAlike(
  fields: readonly FieldReader[],
  values: readonly number[][],
  cut: number,
): void {
  const oracle = oneByOne(fields);
  expect(read(fuseFields(fields, false).rows, values, cut)).toEqual(read(oracle, values, cut));
  for (const framed of [false, true]) {
    const both = fuseFields(fields, framed);
    const ofRecords = readRecords(both.records, values, framed);
    expect(ofRecords).toEqual(readRecords(eachRecord(oracle, framed), values, framed));
  }
}

/** The oracle: each field of all rows, by the reader that knows all forms. */
function oneByOne(fields: readonly FieldReader[]): RowsReader {
  return (cursor, columns, from, to) => {
    for (const { row } of fields) eachRow(row)(cursor, columns, from, to);
  };
}

/** What is in the columns afterwards. The last value lacks `cut` bytes, and the second row is rejected before. */
function read(reader: RowsReader, values: readonly number[][], cut: number): unknown {
  const columns = createColumns(4, values.length);
  let position = 0;
  for (const [row, bytes] of values.entries()) {
    columns.unread[row] = position;
    position += bytes.length;
    columns.unreadEnd[row] = row < values.length - 1 ? position : Math.max(0, position - cut);
  }
  if (values.length > 1) columns.rejected[1] = 1;
  reader(createCursor(Uint8Array.from(values.flat())), columns, 0, values.length);
  return values.map((_, row) => rowOf(columns, row));
}

const schemaId = 7;

/** What is in the columns after values were read as those of records. */
function readRecords(
  reader: EventReader["records"],
  values: readonly number[][],
  framed: boolean,
): unknown {
  const records = values.map((bytes, offset) => {
    const datum = Uint8Array.from(bytes);
    return { offset, value: framed ? frame(schemaId, datum) : datum };
  });
  const columns = createColumns(4, values.length);
  reader(beginReading(openBatch(encodeBatch({ records })), 0, columns), schemaId);
  expect(columns.count).toBe(values.length);
  // How far a value was read means nothing where nothing reads on.
  columns.unread.fill(0);
  return values.map((_, row) => rowOf(columns, row));
}

/** Frame by frame, and then the values. */
function eachRecord(rows: RowsReader, framed: boolean): EventReader["records"] {
  return (reading) => {
    const { columns, cursor } = reading;
    for (let row = 0; nextRecord(reading); row = ++columns.count) {
      const start = columns.recordValueStart[row] ?? 0;
      columns.unread[row] = start + (framed ? frameBytes : 0);
      columns.unreadEnd[row] = start + (columns.recordValueLength[row] ?? 0);
      columns.rejected[row] = 0;
    }
    rows(cursor, columns, 0, columns.count);
  };
}

function rowOf(columns: RecordColumns, row: number): unknown {
  const rejected = columns.rejected[row];
  // Of a rejected row nothing else means anything.
  if (rejected !== 0) return rejected;
  const { unread, keyStart, keyLength, eventTime, values } = columns;
  return [unread, keyStart, keyLength, eventTime, ...values].map((column) => column[row]);
}
