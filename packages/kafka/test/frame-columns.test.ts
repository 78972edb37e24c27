import { createColumns } from "@adstream/engine/columns";
import * as fc from "fast-check";
import { expect, test } from "vitest";

import { readFrames } from "../src/frame-columns.ts";
import { openBatch, readRecords } from "../src/record-batch.ts";
import { encodeBatch, type TestRecord } from "./encode-batch.ts";

/** Around the bounds of varints of one, two and more bytes, where the usual form ends. */
const size = fc.oneof(
  fc.nat(3),
  fc.constantFrom(62, 63, 64, 65, 127, 128, 8_190, 8_191, 8_192, 8_193),
);
const part = fc.option(
  size.map((length) => Buffer.alloc(length, 0xab)),
  { freq: 4 },
);
const record = fc.record({
  gap: fc.oneof(fc.constant(1), fc.constantFrom(2, 63, 64, 8_192, 20_000, 2 ** 20, 2 ** 21)),
  timestamp: fc.oneof(
    fc.integer({ min: -70, max: 70 }),
    fc.integer({ min: -(2 ** 31), max: 2 ** 40 }),
  ),
  key: part,
  value: part,
  headers: fc.constantFrom([], [["name", Buffer.from("value")]] as const),
});

test("records of every form are those that are read one by one", () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 6 }), fc.boolean(), (drawn, appendTime) => {
      let offset = 1_000;
      const records = drawn.map(({ gap, ...rest }): TestRecord => ({
        ...rest,
        offset: (offset += gap),
      }));
      const batch = encodeBatch({ records, baseTimestamp: 0, attributes: appendTime ? 8 : 0 });
      const { header, body } = openBatch(batch);
      const columns = createColumns(0, 6);
      const count = readFrames(body, header, 0, columns);
      const bytes = (start: number, length: number): Uint8Array | null =>
        length < 0 ? null : body.slice(start, start + length);
      const rows = Array.from({ length: count }, (_, row) => ({
        offset: columns.offset[row],
        timestamp: columns.recordTime[row],
        key: bytes(columns.recordKeyStart[row]!, columns.recordKeyLength[row]!),
        value: bytes(columns.recordValueStart[row]!, columns.recordValueLength[row]!),
      }));
      expect(rows).toEqual(
        readRecords(batch).map(({ offset, timestamp, key, value }) => ({
          offset,
          timestamp,
          key,
          value,
        })),
      );
    }),
    { numRuns: 2_000 },
  );
});

/** A record, by its varints: length, attributes, time, offset, key, value, headers. */
const sound = [12, 0, 0, 0, 1, 0, 0];
const behind = [12, 0, 0, 2, 1, 0, 0];

test.for<[string, number[][]]>([
  ["a length below zero", [[13, 0, 0, 0, 1, 0, 0]]],
  ["an offset below the first", [[12, 0, 0, 1, 1, 0, 0]]],
  ["an offset behind the last", [[12, 0, 0, 20, 1, 0, 0]]],
  ["a key below null", [[14, 0, 0, 0, 3, 0, 0, 0]]],
  ["a value below null", [[12, 0, 0, 0, 1, 3, 0]]],
  ["no count of headers", [[14, 0, 0, 0, 1, 4, 9, 9]]],
  ["a key longer than the record", [[12, 0, 0, 0, 4, 0, 0], behind]],
  ["a value longer than the record", [[12, 0, 0, 0, 1, 4, 0], behind]],
  ["a length beyond the body", [[14, 0, 0, 0, 1, 0, 0]]],
  ["a key of a length of four bytes", [[18, 0, 0, 0, 0x80, 0x80, 0x80, 1, 0, 0], sound]],
  ["a second record at the offset of the first", [sound, sound]],
])("%s is BATCH_CORRUPT", ([, records]) => {
  const read = (parts: readonly number[][]): unknown => {
    const body = Uint8Array.from(parts.flat());
    const batch = encodeBatch({
      records: [],
      body,
      recordCount: parts.length,
      lastOffsetDelta: 9,
    });
    const opened = openBatch(batch);
    return readFrames(opened.body, opened.header, 0, createColumns(0));
  };
  expect(read([sound, behind])).toBe(2);
  expect(() => read(records)).toThrow(expect.objectContaining({ code: "BATCH_CORRUPT" }));
});
