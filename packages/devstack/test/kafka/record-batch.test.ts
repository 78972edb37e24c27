import { describe, expect, test } from "vitest";
import { crc32c } from "../../src/kafka/crc32c.ts";
import {
  checkProduced,
  firstRecordSince,
  intact,
  readHeader,
  stampAppendTime,
} from "../../src/kafka/record-batch.ts";
import { encodeBatch } from "./encode-batch.ts";

const MAX_BYTES = 1_048_588;

// RFC 3720, B.4
test.each([
  { name: "32 zeros", bytes: Buffer.alloc(32), sum: 0x8a9136aa },
  { name: "32 ones", bytes: Buffer.alloc(32, 0xff), sum: 0x62a8ab43 },
  {
    name: "0 to 31",
    bytes: Buffer.from(Array.from({ length: 32 }, (_, at) => at)),
    sum: 0x46dd794e,
  },
  { name: "nothing", bytes: Buffer.alloc(0), sum: 0 },
  { name: "123456789", bytes: Buffer.from("123456789"), sum: 0xe3069283 },
])("CRC-32C of $name", ({ bytes, sum }) => {
  expect(crc32c(bytes)).toBe(sum);
});

describe("what a producer may send", () => {
  const damaged = encodeBatch();
  damaged.writeUInt8(damaged.readUInt8(70) ^ 1, 70);
  const old = encodeBatch();
  old.writeInt8(1, 16);

  test.each([
    { name: "a damaged batch", records: damaged, error: 2 },
    { name: "a batch that is cut short", records: encodeBatch().subarray(0, -1), error: 2 },
    { name: "no bytes", records: Buffer.alloc(0), error: 2 },
    { name: "an old message set", records: old, error: 87 },
    { name: "two batches", records: Buffer.concat([encodeBatch(), encodeBatch()]), error: 87 },
    { name: "a control batch", records: encodeBatch({ attributes: 0x20 }), error: 87 },
    { name: "a transactional batch", records: encodeBatch({ attributes: 0x10 }), error: 48 },
    {
      name: "a batch too large",
      records: encodeBatch({ values: ["v".repeat(MAX_BYTES)] }),
      error: 10,
    },
  ])("$name is refused with $error", ({ records, error }) => {
    expect(checkProduced(records, MAX_BYTES)).toEqual({ error });
  });

  test("a good batch is not", () => {
    expect(checkProduced(encodeBatch(), MAX_BYTES)).toHaveProperty("header");
  });
});

test("append time is in the attributes, in maxTimestamp and under the checksum", () => {
  const batch = encodeBatch({ values: ["a", "b"] });
  stampAppendTime(batch, 42);
  expect(intact(batch)).toBe(true);
  expect(readHeader(batch)).toMatchObject({ attributes: 8, maxTimestamp: 42 });
});

describe("the first record not older than a time", () => {
  const timestampsMs = [100, 50, 300, 200];
  const values = ["a", "b", "c", "d"];

  test.each([
    { sinceMs: 0, expected: { timestampMs: 100, offset: 10 } },
    { sinceMs: 100, expected: { timestampMs: 100, offset: 10 } },
    { sinceMs: 101, expected: { timestampMs: 300, offset: 12 } },
    { sinceMs: 300, expected: { timestampMs: 300, offset: 12 } },
  ])("$sinceMs is found inside the batch, compressed or not", ({ sinceMs, expected }) => {
    for (const gzip of [false, true]) {
      const batch = encodeBatch({ values, timestampsMs, baseOffset: 10, gzip });
      expect(firstRecordSince(batch, readHeader(batch)!, sinceMs)).toEqual(expected);
    }
  });

  test("with append time every record is as old as the batch, so it is the first", () => {
    const batch = encodeBatch({ values, timestampsMs, baseOffset: 10 });
    stampAppendTime(batch, 500);
    const found = firstRecordSince(batch, readHeader(batch)!, 400);
    expect(found).toEqual({ timestampMs: 500, offset: 10 });
  });
});
