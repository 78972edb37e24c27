import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { openBatch, readBatchHeader, readRecords, type BatchRecord } from "../src/record-batch.ts";
import { encodeBatch, withChecksum, type TestBatch } from "./encode-batch.ts";
import {
  decodeKafkajsBatch,
  encodeKafkajsBatch,
  encodeKafkajsRecord,
  type KafkajsRecord,
} from "./kafkajs-batches.ts";

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
const nullableBytes = fc.option(bytes, { nil: null });
const record = fc.record({
  gap: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 2 ** 24 })),
  timestamp: fc.oneof(fc.integer({ min: -1, max: 2 ** 41 }), fc.maxSafeNat()),
  key: nullableBytes,
  value: nullableBytes,
  headers: fc.dictionary(fc.string({ minLength: 1, maxLength: 5 }), bytes, { maxKeys: 3 }),
});
const records = fc.array(record, { minLength: 1, maxLength: 30 });
const firstOffset = fc.integer({ min: 0, max: 2 ** 52 });

test("records that kafkajs wrote, in every codec, are read as kafkajs reads them", async () => {
  const batches = fc.record({
    records,
    firstOffset,
    compression: fc.nat(4),
    transactional: fc.boolean(),
    producerId: fc.integer({ min: -1, max: 2 ** 40 }),
  });
  await fc.assert(
    fc.asyncProperty(batches, async ({ records, ...batch }) => {
      const firstTimestamp = records[0]?.timestamp ?? 0;
      let offsetDelta = -1;
      const encoded = records.map((each) => {
        offsetDelta += each.gap;
        return encodeKafkajsRecord({
          ...each,
          offsetDelta,
          timestampDelta: each.timestamp - firstTimestamp,
        });
      });
      const { buffer } = await encodeKafkajsBatch({
        ...batch,
        firstOffset: String(batch.firstOffset),
        firstTimestamp,
        maxTimestamp: firstTimestamp,
        lastOffsetDelta: offsetDelta,
        records: encoded,
      });
      const oracle = await decodeKafkajsBatch(buffer);
      expect(readRecords(buffer).map(asKafkajs)).toEqual(oracle.records.map(plain));
      const header = readBatchHeader(buffer);
      expect(header.transactional).toBe(oracle.inTransaction);
      expect(header.control).toBe(oracle.isControlBatch);
      expect(String(header.producerId)).toBe(oracle.producerId);
      expect(header.lastOffsetDelta).toBe(oracle.lastOffsetDelta);
    }),
    { numRuns: 300 },
  );
});

test("what kafkajs cannot write but read, it reads the same: log append time, control, null headers", async () => {
  const header = fc.tuple(fc.constantFrom("a", "b", "__proto_"), nullableBytes);
  const batches = fc.record({
    records: fc.array(
      fc.record({
        gap: fc.integer({ min: 1, max: 9 }),
        timestamp: fc.nat(),
        key: nullableBytes,
        value: nullableBytes,
        headers: fc.array(header, { maxLength: 3 }),
      }),
      { maxLength: 9 },
    ),
    baseOffset: firstOffset,
    maxTimestamp: fc.nat(),
    attributes: fc.constantFrom(0, 0x08, 0x10, 0x20, 0x38),
  });
  await fc.assert(
    fc.asyncProperty(batches, async ({ records, ...batch }) => {
      let offset = batch.baseOffset - 1;
      const placed = records.map((each) => ({ ...each, offset: (offset += each.gap) }));
      const buffer = encodeBatch({ ...batch, records: placed });
      const oracle = await decodeKafkajsBatch(buffer);
      expect(readRecords(buffer).map(asKafkajs)).toEqual(oracle.records.map(plain));
      expect(readBatchHeader(buffer).control).toBe(oracle.isControlBatch);
    }),
    { numRuns: 300 },
  );
});

test("a header may come twice and without a value, in its order", () => {
  const headers = [
    ["b", Buffer.from("1")],
    ["a", null],
    ["b", Buffer.alloc(0)],
  ] as const;
  const [read] = readRecords(encodeBatch({ records: [{ offset: 3, headers }] }));
  expect(read?.headers).toEqual([
    ["b", Uint8Array.of(49)],
    ["a", null],
    ["b", new Uint8Array(0)],
  ]);
});

test("a record without timestamp keeps -1", () => {
  const batch = encodeBatch({ records: [{ offset: 0, timestamp: -1 }] });
  expect(readRecords(batch)[0]?.timestamp).toBe(-1);
});

test("a head that compaction left without records opens, whatever codec it names", () => {
  const batch = encodeBatch({ records: [], baseOffset: 7, lastOffsetDelta: 4, attributes: 3 });
  expect(readRecords(batch)).toEqual([]);
  expect(openBatch(batch).header).toMatchObject({
    baseOffset: 7,
    lastOffsetDelta: 4,
    codec: "lz4",
  });
});

test("heads are read one after the other from a fetched set", () => {
  const first = encodeBatch({ records: [{ offset: 5 }], producerId: 8 });
  const second = encodeBatch({ records: [{ offset: 9 }, { offset: 11 }], attributes: 0x18 });
  const set = Buffer.concat([first, second]);
  const head = readBatchHeader(set);
  expect(head).toMatchObject({ baseOffset: 5, sizeBytes: first.length, producerId: 8 });
  expect(readBatchHeader(set, head.sizeBytes)).toMatchObject({
    baseOffset: 9,
    lastOffsetDelta: 2,
    recordCount: 2,
    timestampType: "LogAppendTime",
    transactional: true,
    control: false,
  });
});

test.for([-13, -12, 0, 48])(
  "a head whose batch has %d bytes after its length leads nowhere",
  (length) => {
    const batch = encodeBatch({ records: [{ offset: 0 }] });
    batch.writeInt32BE(length, 8);
    expect(() => readBatchHeader(batch)).toThrow(
      expect.objectContaining({ code: "BATCH_CORRUPT" }),
    );
  },
);

describe("corrupt", () => {
  const two = { records: [{ offset: 0, value: Buffer.from("v") }, { offset: 1 }] };
  const patched = (change: (batch: Buffer) => unknown): Buffer => {
    const batch = encodeBatch(two);
    change(batch);
    return withChecksum(batch);
  };
  const body = (...records: number[]): TestBatch => ({
    records: [],
    recordCount: 1,
    body: Uint8Array.from(records),
  });

  test.for<[string, Buffer]>([
    ["nothing", Buffer.alloc(0)],
    ["a head cut short", encodeBatch(two).subarray(0, 60)],
    ["a batch cut short", encodeBatch(two).subarray(0, -1)],
    ["bytes after the batch", Buffer.concat([encodeBatch(two), Buffer.alloc(1)])],
    ["magic 1", patched((batch) => batch.writeInt8(1, 16))],
    ["a length below the head's", patched((batch) => batch.writeInt32BE(48, 8))],
    ["a negative length", patched((batch) => batch.writeInt32BE(-1, 8))],
    ["the largest length", patched((batch) => batch.writeInt32BE(2 ** 31 - 1, 8))],
    [
      "a changed bit",
      Buffer.from(encodeBatch(two).map((byte, at) => (at === 65 ? byte ^ 1 : byte))),
    ],
    ["codec 5", patched((batch) => batch.writeInt16BE(5, 21))],
    ["a negative base offset", patched((batch) => batch.writeBigInt64BE(-1n, 0))],
    ["a base offset beyond 2^53", patched((batch) => batch.writeBigInt64BE(2n ** 53n, 0))],
    ["a negative last offset delta", patched((batch) => batch.writeInt32BE(-1, 23))],
    ["a negative record count", patched((batch) => batch.writeInt32BE(-1, 57))],
    ["more records than bytes", patched((batch) => batch.writeInt32BE(2 ** 31 - 1, 57))],
    ["fewer records than bytes", patched((batch) => batch.writeInt32BE(1, 57))],
    ["a record beyond the last offset delta", encodeBatch({ ...two, lastOffsetDelta: 0 })],
    ["the same offset twice", encodeBatch({ records: [{ offset: 1 }, { offset: 1 }] })],
    ["falling offsets", encodeBatch({ records: [{ offset: 1 }, { offset: 0 }], baseOffset: 0 })],
    ["a record longer than the body", encodeBatch(body(16, 0, 0, 0, 1, 1, 0))],
    ["a record of negative length", encodeBatch(body(13, 0, 0, 0, 1, 1, 0))],
    ["a key longer than the record", encodeBatch(body(12, 0, 0, 0, 4, 1, 0))],
    ["a key of length -2", encodeBatch(body(12, 0, 0, 0, 3, 1, 0))],
    ["a key of 2 GiB", encodeBatch(body(20, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f, 1, 0))],
    ["a value longer than the record", encodeBatch(body(12, 0, 0, 0, 1, 4, 0))],
    [
      "a varint of six bytes",
      encodeBatch(body(22, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 1, 1, 0)),
    ],
    [
      "a varint of more than 32 bits",
      encodeBatch(body(20, 0, 0, 0, 0x81, 0x80, 0x80, 0x80, 0x10, 1, 0)),
    ],
    ["headers that are not there", encodeBatch(body(12, 0, 0, 0, 1, 1, 2))],
    ["a negative header count", encodeBatch(body(12, 0, 0, 0, 1, 1, 1))],
    ["billions of headers", encodeBatch(body(20, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f))],
    ["bytes after the headers", encodeBatch(body(14, 0, 0, 0, 1, 1, 0, 0))],
  ])("%s is BATCH_CORRUPT", ([, batch]) => {
    expect(() => readRecords(batch)).toThrow(
      expect.objectContaining({ name: "StreamError", code: "BATCH_CORRUPT" }),
    );
  });
});

function asKafkajs(record: BatchRecord): unknown {
  const headers: Record<string, (number[] | null)[]> = {};
  for (const [name, value] of record.headers) {
    headers[name] ??= [];
    headers[name].push(value && [...value]);
  }
  const { offset, timestamp, key, value } = record;
  return {
    offset: String(offset),
    timestamp: String(timestamp),
    key: key && [...key],
    value: value && [...value],
    headers,
  };
}

/** kafkajs gathers equal names into an array, and loses nulls that come first. */
function plain({ offset, timestamp, key, value, headers }: KafkajsRecord): unknown {
  return {
    offset,
    timestamp,
    key: key && [...key],
    value: value && [...value],
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, found]) => [
        name,
        (Array.isArray(found) ? found : [found]).map((each: Buffer | null) => each && [...each]),
      ]),
    ),
  };
}
