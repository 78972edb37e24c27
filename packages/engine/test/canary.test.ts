import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { canaryOf, sameCanary } from "../src/canary.ts";
import { columnsOf, record } from "./logged-records.ts";

const columns = columnsOf([record(3), record(4, { eventTime: 9, recordTime: -1, key: "bb" })]);

test("the canary is offset, timestamp and the CRC-32 of key and value", () => {
  expect(canaryOf(columns, 1)).toEqual({
    offset: 4,
    recordTime: -1,
    crc: crc32(Buffer.from("bbvalue 4 bb 9")),
  });
});

test("a record without key and value has a canary too", () => {
  const tombstone = columnsOf([record(3)]);
  tombstone.recordKeyLength[0] = -1;
  tombstone.recordValueLength[0] = -1;
  expect(canaryOf(tombstone, 0).crc).toBe(crc32(Buffer.alloc(0)));
});

test("canaries are equal only in offset, timestamp and content together", () => {
  const canary = canaryOf(columns, 0);
  expect(sameCanary(canary, { ...canary })).toBe(true);
  expect(sameCanary(canary, { ...canary, offset: 9 })).toBe(false);
  expect(sameCanary(canary, { ...canary, recordTime: 9 })).toBe(false);
  expect(sameCanary(canary, { ...canary, crc: 9 })).toBe(false);
});
