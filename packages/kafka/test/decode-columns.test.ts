import {
  createColumns,
  rejectReasons,
  type RecordColumns,
  type RejectReason,
} from "@adstream/engine/columns";
import { StreamError } from "@adstream/engine/errors";
import * as fc from "fast-check";
import { compressFrameSync } from "lz4-napi";
import { compressSync } from "snappy";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";

import { composeReader } from "../src/avro-columns.ts";
import { decodeColumns, type ReaderLookup } from "../src/decode-columns.ts";
import { openBatch, readRecords } from "../src/record-batch.ts";
import type { EventReader } from "../src/value-rows.ts";
import { frame } from "../src/wire-format.ts";
import { prefixed } from "./avro-shapes.ts";
import { encodeBatch, varint, withChecksum, type TestRecord } from "./encode-batch.ts";

const schema = (...names: string[]): string =>
  JSON.stringify({
    type: "record",
    name: "E",
    fields: names.map((name) => ({ name, type: name === "key" ? "string" : "long" })),
  });
const reader = (...names: string[]): EventReader =>
  composeReader(schema(...names), {
    key: "key",
    eventTime: "time",
    numbers: [{ field: "clicks", min: 0, max: 1000, default: 7 }],
  });
/** 1: all fields in order; 2: without clicks; 3: in another order; 4: unreadable; 5: not loaded. */
const readers: ReaderLookup = (schemaId) => byId.get(schemaId);
const byId = new Map<number, EventReader | RejectReason>([
  [1, reader("key", "time", "clicks")],
  [2, reader("key", "time")],
  [3, reader("clicks", "time", "key")],
  [4, "unreadable schema"],
]);

const key = (text: string): number[] => prefixed(Buffer.from(text));
const value = (schemaId: number, ...parts: number[][]): Buffer =>
  frame(schemaId, Uint8Array.from(parts.flat()));
const event = (ad: string, time: number, clicks: number): Buffer =>
  value(1, key(ad), varint(time), varint(clicks));

type Row = {
  offset: number;
  recordTime: number;
  rejected: string;
  rawKey: string | null;
  rawValue: string | null;
  event?: { key: string; time: number; clicks: number };
};

function decode(
  batch: Uint8Array,
  { fromOffset = 0, lookup = readers, columns = createColumns(1, 2) } = {},
): { rows: Row[]; missing: number | undefined } {
  const missing = decodeColumns(openBatch(batch), fromOffset, columns, lookup);
  const rows = Array.from({ length: columns.count }, (_, row) => rowOf(columns, row));
  return { rows, missing };
}

function rowOf(columns: RecordColumns, row: number): Row {
  const { bytes } = columns;
  const text = (start: number, length: number): string | null =>
    length < 0 ? null : Buffer.from(bytes.slice(start, start + length)).toString("hex");
  const rejected = columns.rejected[row]!;
  return {
    offset: columns.offset[row]!,
    recordTime: columns.recordTime[row]!,
    rejected: rejectReasons[rejected]!,
    rawKey: text(columns.recordKeyStart[row]!, columns.recordKeyLength[row]!),
    rawValue: text(columns.recordValueStart[row]!, columns.recordValueLength[row]!),
    ...(rejected === 0 && {
      event: {
        key: Buffer.from(text(columns.keyStart[row]!, columns.keyLength[row]!)!, "hex").toString(),
        time: columns.eventTime[row]!,
        clicks: columns.values[0]![row]!,
      },
    }),
  };
}

const hex = (bytes: Uint8Array | null | undefined): string | null =>
  bytes ? Buffer.from(bytes).toString("hex") : null;

describe("rows", () => {
  const records: TestRecord[] = [
    { offset: 10, timestamp: 1000, key: Buffer.from("a"), value: event("a", 5, 1) },
    { offset: 11, timestamp: 999, key: null, value: value(2, key("b"), varint(-6)) },
    { offset: 14, timestamp: 1001, value: value(3, varint(3), varint(7), key("c")) },
  ];

  test("each record is a row, by its own schema and with defaults, and its headers are passed over", () => {
    const headers = [["h", Buffer.from("x".repeat(200))]] as const;
    const { rows, missing } = decode(
      encodeBatch({ records: records.map((each) => ({ ...each, headers })) }),
    );
    expect(missing).toBeUndefined();
    expect(rows).toEqual([
      row(0, { key: "a", time: 5, clicks: 1 }),
      row(1, { key: "b", time: -6, clicks: 7 }),
      row(2, { key: "c", time: 7, clicks: 3 }),
    ]);
  });

  test.for([0, 10, 11, 12, 13, 14, 15, 2 ** 50])(
    "records below offset %d are left out",
    (fromOffset) => {
      const { rows } = decode(encodeBatch({ records }), { fromOffset });
      const expected = records.map(({ offset }) => offset).filter((offset) => offset >= fromOffset);
      expect(rows.map(({ offset }) => offset)).toEqual(expected);
    },
  );

  test("with log append time every record has the batch's highest timestamp", () => {
    const { rows } = decode(encodeBatch({ records, attributes: 8, maxTimestamp: 77 }));
    expect(rows.map(({ recordTime }) => recordTime)).toEqual([77, 77, 77]);
  });

  test("records without timestamp have -1", () => {
    const bare = records.map((each) => ({ ...each, timestamp: -1 }));
    expect(decode(encodeBatch({ records: bare })).rows.map((each) => each.recordTime)).toEqual([
      -1, -1, -1,
    ]);
  });

  test.for([
    ["gzip", 1, gzipSync],
    ["snappy", 2, compressSync],
    ["lz4", 3, compressFrameSync],
    ["zstd", 4, zstdCompressSync],
  ] as const)("%s changes nothing", ([, attributes, compress]) => {
    const plain = decode(encodeBatch({ records }));
    expect(
      decode(encodeBatch({ records, attributes, compress: (body) => compress(body) })),
    ).toEqual(plain);
  });

  test("columns are used again, for fewer rows and for more than they had room for", () => {
    const columns = createColumns(1, 1);
    const many = Array.from({ length: 100 }, (_, index) => ({
      offset: index,
      value: event(`ad_${index}`, index, index),
    }));
    expect(decode(encodeBatch({ records: many }), { columns }).rows).toHaveLength(100);
    expect(decode(encodeBatch({ records }), { columns }).rows).toEqual(
      decode(encodeBatch({ records })).rows,
    );
    expect(decode(encodeBatch({ records: [] }), { columns }).rows).toEqual([]);
    decode(encodeBatch({ records: many.map((each) => ({ ...each, value: null })) }), { columns });
    const sound = decode(encodeBatch({ records: many }), { columns }).rows;
    expect(new Set(sound.map(({ rejected }) => rejected))).toEqual(new Set(["accepted"]));
  });

  function row(index: number, event: Row["event"]): unknown {
    const { offset, timestamp, key, value } = records[index]!;
    return {
      offset,
      recordTime: timestamp,
      rejected: "accepted",
      rawKey: hex(key),
      rawValue: hex(value),
      event,
    };
  }
});

describe("bad records", () => {
  test.for<[string, Uint8Array | null, RejectReason]>([
    ["a tombstone", null, "null value"],
    ["an empty value", Buffer.alloc(0), "short frame"],
    ["four bytes", Buffer.alloc(4), "short frame"],
    ["another magic byte", Buffer.from([1, 0, 0, 0, 1, 0]), "wrong magic byte"],
    ["an unreadable schema", value(4, [1, 2, 3]), "unreadable schema"],
    ["a frame and no more", value(1), "truncated or malformed Avro"],
    ["a record cut short", event("a", 1, 1).subarray(0, -1), "truncated or malformed Avro"],
    ["a byte too many", Buffer.concat([event("a", 1, 1), Buffer.of(0)]), "trailing bytes"],
    ["a length bomb", value(1, varint(2 ** 40)), "length out of bounds"],
    ["an empty key", event("", 1, 1), "key empty or longer than 256 bytes"],
    ["a key of 257 bytes", event("x".repeat(257), 1, 1), "key empty or longer than 256 bytes"],
    ["a key that is no text", value(1, [2, 0xff], [2], [2]), "key not UTF-8"],
    ["negative clicks", event("a", 1, -1), "number out of range"],
    ["a time beyond all dates", event("a", 8.64e15 + 1, 1), "timestamp out of range"],
  ])("%s is set aside with its raw bytes, and its neighbours are not", ([, bad, reason]) => {
    const rawKey = Buffer.from("k");
    const good = event("a", 1, 1);
    const { rows } = decode(
      encodeBatch({
        records: [
          { offset: 0, value: good },
          { offset: 1, key: rawKey, value: bad },
          { offset: 2, value: good },
        ],
      }),
    );
    expect(rows.map(({ rejected }) => rejected)).toEqual(["accepted", reason, "accepted"]);
    expect(rows[1]).toMatchObject({ offset: 1, rawKey: hex(rawKey), rawValue: bad && hexOf(bad) });
    expect(rows[2]?.event).toEqual({ key: "a", time: 1, clicks: 1 });
  });

  function hexOf(bytes: Uint8Array): string {
    return Buffer.from(bytes).toString("hex");
  }
});

describe("a schema that is not loaded", () => {
  const records = [
    { offset: 5, value: event("a", 1, 1) },
    { offset: 6, value: null },
    { offset: 7, value: value(5, key("b"), varint(2)) },
    { offset: 8, value: event("c", 3, 3) },
  ];
  const batch = encodeBatch({ records });

  test("stops before its first record and is named", () => {
    const { rows, missing } = decode(batch);
    expect(missing).toBe(5);
    expect(rows.map(({ offset }) => offset)).toEqual([5, 6]);
  });

  test("is no matter when its records are not wanted", () => {
    expect(decode(batch, { fromOffset: 8 })).toMatchObject({
      missing: undefined,
      rows: [{ offset: 8 }],
    });
  });

  test("is read when the call comes again", () => {
    const lookup: ReaderLookup = (id) => (id === 5 ? reader("key", "time") : readers(id));
    const { rows, missing } = decode(batch, { lookup });
    expect(missing).toBeUndefined();
    expect(rows.map(({ event }) => event?.key)).toEqual(["a", undefined, "b", "c"]);
  });
});

test("the lookup is asked once for a run of records with the same schema", () => {
  const asked: number[] = [];
  const lookup: ReaderLookup = (id) => {
    asked.push(id);
    return readers(id);
  };
  const ids = [1, 1, 1, 4, 4, 1];
  const records = ids.map((id, offset) => ({ offset, value: value(id, key("a"), [2], [2]) }));
  decode(encodeBatch({ records }), { lookup });
  expect(asked).toEqual([1, 4, 1]);
});

test("a record that claims more than the batch has is BATCH_CORRUPT before its value is read", () => {
  const good = [30, 0, 0, 0, 1, 18, 0, 0, 0, 0, 1, 2, 97, 2, 0, 0];
  // As long as the first, by what it says; of its key, 40 bytes, there is the first.
  const cut = [110, 0, 0, 2, 1, 98, 0, 0, 0, 0, 1, 80, 97];
  const body = Uint8Array.from([...good, ...good.with(3, 2), ...cut.with(3, 4)]);
  const batch = (recordCount: number, bytes: Uint8Array): Buffer =>
    encodeBatch({ records: [], body: bytes, recordCount, lastOffsetDelta: 9 });
  expect(decode(batch(2, body.subarray(0, 2 * good.length))).rows).toHaveLength(2);
  const decoding = (): unknown => decode(batch(3, body));
  expect(decoding).toThrow(expect.objectContaining({ code: "BATCH_CORRUPT" }));
});

test.for([
  ["a record without its header count", [10, 0, 0, 0, 1, 1, 14, 0, 0, 2, 1, 1, 0, 0], 2],
  ["a record longer than the batch", [12, 0, 0, 0, 1, 1, 0, 14, 0, 0, 2, 1, 1, 0], 2],
  ["a record that is not counted", [12, 0, 0, 0, 1, 1, 0, 12, 0, 0, 2, 1, 1, 0], 1],
] as [string, number[], number][])("%s is BATCH_CORRUPT", ([, bytes, recordCount]) => {
  const body = Uint8Array.from(bytes);
  const batch = encodeBatch({ records: [], body, recordCount, lastOffsetDelta: 9 });
  expect(() => decode(batch)).toThrow(expect.objectContaining({ code: "BATCH_CORRUPT" }));
});

// Without a value a record is read by the reader that knows all forms.
const plain = event("a", 1, 1);
test.for([
  [plain, plain, plain],
  [plain, plain, null],
  [plain, null, plain],
  [null, plain, plain],
  [null, null, null],
])("offsets that do not rise are BATCH_CORRUPT, whatever forms the records have", (values) => {
  const batch = (...offsets: number[]): Buffer =>
    encodeBatch({
      baseOffset: 5,
      lastOffsetDelta: 9,
      records: offsets.map((offset, at) => ({ offset, value: values[at] ?? null })),
    });
  expect(decode(batch(6, 8, 9)).rows.map(({ offset }) => offset)).toEqual([6, 8, 9]);
  for (const offsets of [
    [6, 6],
    [8, 6],
    [6, 15],
    [6, 8, 8],
    [6, 8, 7],
    [6, 8, 15],
  ]) {
    const decoding = (): unknown => decode(batch(...offsets));
    expect(decoding).toThrow(expect.objectContaining({ code: "BATCH_CORRUPT" }));
  }
});

test("20,000 mutated batches give rows or BATCH_CORRUPT, the same ones as record by record, and none takes long", () => {
  const samples = [undefined, gzipSync, compressSync, compressFrameSync, zstdCompressSync].map(
    (compress, attributes) =>
      encodeBatch({
        attributes,
        ...(compress && { compress: (body: Buffer) => compress(body) }),
        records: [
          { offset: 100, timestamp: 9, key: Buffer.from("k"), value: event("ad_1", 5, 1) },
          { offset: 101, timestamp: 8, value: null, headers: [["h", null]] },
          { offset: 103, timestamp: 2 ** 40, value: value(3, [2], varint(1e12), key("é")) },
        ],
      }),
  );
  const mutation = fc.record({
    sample: fc.constantFrom(...samples),
    // Beyond the length and the checksum, which would only be found wrong at once.
    changes: fc.array(fc.tuple(fc.integer({ min: 21, max: 140 }), fc.nat(255)), {
      minLength: 1,
      maxLength: 3,
    }),
  });
  const columns = createColumns(1, 4);
  let slowestUs = 0;
  fc.assert(
    fc.property(mutation, ({ sample, changes }) => {
      const batch = Buffer.from(sample);
      for (const [position, byte] of changes) if (position < batch.length) batch[position] = byte;
      withChecksum(batch);
      const startUs = threadCpuUs();
      const offsets = orCorrupt(() => {
        decodeColumns(openBatch(batch), 0, columns, () => "unknown schema id");
        return [...columns.offset.subarray(0, columns.count)];
      });
      orCorrupt(() => decodeColumns(openBatch(batch), 0, columns, readers));
      slowestUs = Math.max(slowestUs, threadCpuUs() - startUs);
      const oracle = orCorrupt(() => readRecords(batch).map(({ offset }) => offset));
      // Headers are passed over here, so only one by one are they found to be broken.
      if (oracle !== undefined) expect(offsets).toEqual(oracle);
    }),
    { numRuns: 20_000 },
  );
  expect(slowestUs).toBeLessThan(100_000);
});

test("a batch of random bytes behind a head that is right is rows or BATCH_CORRUPT", () => {
  const columns = createColumns(1, 4);
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 100 }),
      fc.nat(10),
      fc.nat(4),
      (body, recordCount, attributes) => {
        const batch = encodeBatch({
          records: [],
          body,
          recordCount,
          attributes,
          lastOffsetDelta: 9,
        });
        orCorrupt(() => decodeColumns(openBatch(batch), 0, columns, readers));
      },
    ),
    { numRuns: 5000 },
  );
});

/** Of this thread only: a busy machine does not matter. */
function threadCpuUs(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

function orCorrupt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof StreamError)) throw error;
    expect(error.code).toBe("BATCH_CORRUPT");
    return undefined;
  }
}
