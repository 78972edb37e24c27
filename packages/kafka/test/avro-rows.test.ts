import { createColumns, type RecordColumns } from "@adstream/engine/columns";
import * as fc from "fast-check";
import { expect, test } from "vitest";

import { float64Field, integerField, keyField, millisField } from "../src/avro-rows.ts";
import { createCursor } from "../src/byte-cursor.ts";
import { eachRow, type FieldReader, type RowsReader } from "../src/value-rows.ts";
import { varint } from "./encode-batch.ts";

const double = (value: number): number[] => [...new Uint8Array(Float64Array.of(value).buffer)];
const text = (content: string): number[] => [
  ...varint(Buffer.byteLength(content)),
  ...Buffer.from(content),
];
/** Around the ends of the usual forms: of one byte, of two, and of six, either sign. */
const edges = [0, 1, 63, 64, 8_191, 8_192, 2 ** 27, 2 ** 34 - 1, 2 ** 34, 2 ** 41 - 1, 2 ** 41];
const integer = fc.oneof(
  fc.constantFrom(...edges.flatMap((edge) => [edge, -edge, -edge - 1])),
  fc.integer({ min: -(2 ** 43), max: 2 ** 43 }),
);
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
  ["times of an int", millisField({ min: -(2 ** 31), max: 2 ** 31 - 1 }), number],
  ["integers", integerField(0, { min: -64, max: 8_191 }), number],
  ["integers of any size", integerField(0, { min: -(2 ** 50), max: 2 ** 50 }), number],
  [
    "doubles",
    float64Field(0, { min: -1, max: 100, whole: false }),
    fc.oneof(fc.double().map(double), fc.constantFrom(-1, 100, 100.5, -1.5).map(double), raw),
  ],
  [
    "whole doubles",
    float64Field(0, { min: -1, max: 100, whole: true }),
    fc.oneof(fc.constantFrom(0, 1, 0.5, -1, 101).map(double), raw),
  ],
];

test.each(kinds)("%s of many rows are what they are row by row", (_, field, value) => {
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 8 }), fc.nat(3), (values, cut) => {
      expect(read(field.rows, values, cut)).toEqual(read(eachRow(field.row), values, cut));
    }),
    { numRuns: 3_000 },
  );
});

/** What is in the columns afterwards. The last value lacks `cut` bytes, and the second row is rejected before. */
function read(reader: RowsReader, values: readonly number[][], cut: number): unknown {
  const columns = createColumns(1, values.length);
  const cursor = createCursor(Uint8Array.from(values.flat()));
  let position = 0;
  for (const [row, bytes] of values.entries()) {
    columns.unread[row] = position;
    position += bytes.length;
    columns.unreadEnd[row] = row < values.length - 1 ? position : Math.max(0, position - cut);
  }
  if (values.length > 1) columns.rejected[1] = 1;
  reader(cursor, columns, 0, values.length);
  return values.map((_, row) => rowOf(columns, row));
}

function rowOf(columns: RecordColumns, row: number): unknown {
  const rejected = columns.rejected[row];
  // Of a rejected row nothing else means anything.
  if (rejected !== 0) return rejected;
  return [
    columns.unread[row],
    columns.keyStart[row],
    columns.keyLength[row],
    columns.eventTime[row],
    columns.values[0]?.[row],
  ];
}
