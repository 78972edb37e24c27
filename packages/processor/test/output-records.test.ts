import { deadLetterHeaders } from "@adstream/contracts/dead-letter";
import { rejectCode } from "@adstream/engine/columns";
import type { SetAside } from "@adstream/engine/dead-letters";
import type { TaskOutput } from "@adstream/engine/ports";
import { appendResult, createResults } from "@adstream/engine/results";
import { expect, test } from "vitest";
import { adStats } from "../src/jobs/ad-stats.ts";
import { resultRecord, setAsideRecords } from "../src/output-records.ts";
import { resultWriter } from "../src/result-rows.ts";

const topics = { events: "events", results: "results", deadLetters: "dlq", late: "late" };

function output(parts: Partial<TaskOutput>): TaskOutput {
  return {
    partition: 3,
    jobEpoch: 0,
    results: createResults(3),
    deadLetters: [],
    late: [],
    ...parts,
  };
}

function letter(parts: Partial<SetAside>): SetAside {
  return { offset: 9, recordTime: 1_700_000_000_000, key: null, value: null, reason: 0, ...parts };
}

test("a result row becomes a record whose key is the document and whose version holds the epoch", () => {
  const results = createResults(3);
  const row = appendResult(results, Buffer.from("ad_7"));
  results.windowStart[row] = Date.UTC(2026, 0, 31, 12);
  results.windowEnd[row] = Date.UTC(2026, 0, 31, 12, 1);
  results.version[row] = 2 * 5_000_000_001;
  results.status[row] = 1;
  results.records[row] = 4;
  results.maxEventTime[row] = 11;
  results.maxRecordTime[row] = 12;
  for (const [sum, value] of [3, 40, 1.25].entries()) {
    const column = results.sums[sum];
    if (column !== undefined) column[row] = value;
  }
  const encoded: object[] = [];
  const encodeInto = (value: unknown, into: Buffer, position: number): number => {
    encoded.push(Object(value));
    return into.writeUInt8(42, position);
  };
  const encoder = { schemaId: 258, encodeInto, written: resultWriter(adStats) };
  const { key, value } = resultRecord(encoder, output({ jobEpoch: 2, results }), row);
  expect(Buffer.from(key).toString()).toBe("2026-01-31T12:00:00.000Z/ad_7");
  expect(value).toEqual(Buffer.of(0, 0, 0, 1, 2, 42));
  expect(encoded).toEqual([
    {
      ad_id: "ad_7",
      window_start: Date.UTC(2026, 0, 31, 12),
      window_end: Date.UTC(2026, 0, 31, 12, 1),
      slot: 3,
      version: (2n << 48n) | 10_000_000_002n,
      status: "final",
      count: 4,
      total_clicks: 3,
      total_views: 40,
      total_cost: 1.25,
      max_event_time: 11,
      max_record_time: 12,
    },
  ]);
});

test("a dead letter keeps key and value as they were and says where it came from and why", () => {
  const value = Buffer.of(0, 0, 0, 0, 77, 1);
  const reason = rejectCode("truncated or malformed Avro");
  const deadLetters = [letter({ key: Buffer.from("k"), value, reason })];
  expect(setAsideRecords(topics, output({ deadLetters }))).toEqual([
    {
      topic: "dlq",
      key: Buffer.from("k"),
      value,
      headers: {
        [deadLetterHeaders.topic]: "events",
        [deadLetterHeaders.partition]: "3",
        [deadLetterHeaders.offset]: "9",
        [deadLetterHeaders.timestamp]: "1700000000000",
        [deadLetterHeaders.reason]: "truncated or malformed Avro",
        [deadLetterHeaders.schemaId]: "77",
      },
    },
  ]);
});

test("a record without a key is keyed by its origin, and one too short for a schema id names none", () => {
  const deadLetters = [letter({ value: Buffer.of(0, 1), reason: rejectCode("short frame") })];
  const [record] = setAsideRecords(topics, output({ deadLetters }));
  expect(record?.key).toBe("events-3-9");
  expect(record?.headers).not.toHaveProperty(deadLetterHeaders.schemaId);
});

test("a value too large to be published again is replaced by its size and digest", () => {
  const value = Buffer.alloc(1_000_000, 1);
  const [record] = setAsideRecords(topics, output({ deadLetters: [letter({ value, reason: 6 })] }));
  expect(record?.value).toBeNull();
  expect(record?.headers).toMatchObject({ [deadLetterHeaders.valueBytes]: "1000000" });
  expect(record?.headers?.[deadLetterHeaders.valueSha256]).toMatch(/^[0-9a-f]{64}$/);
});

test("late records go to their own topic", () => {
  const [record] = setAsideRecords(topics, output({ late: [letter({ value: Buffer.of(1) })] }));
  expect(record?.topic).toBe("late");
  expect(record?.headers?.[deadLetterHeaders.reason]).toBe("late");
});
