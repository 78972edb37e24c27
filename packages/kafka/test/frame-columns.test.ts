import { createColumns } from "@adstream/engine/columns";
import * as fc from "fast-check";
import { expect, test } from "vitest";

import { readFrames } from "../src/frame-columns.ts";
import { openBatch, readRecords } from "../src/record-batch.ts";
import { encodeBatch, type TestRecord } from "./encode-batch.ts";

/** Around the bounds of varints of one, two and three bytes, where the usual form ends. */
const size = fc.oneof(
  fc.nat(3),
  fc.constantFrom(62, 63, 64, 65, 127, 128, 8_190, 8_191, 8_192, 8_193),
);
const part = fc.option(
  size.map((length) => Buffer.alloc(length, 0xab)),
  { freq: 4 },
);
const record = fc.record({
  gap: fc.oneof(fc.constant(1), fc.constantFrom(2, 63, 64, 8_192, 20_000)),
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
