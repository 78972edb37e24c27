import { deadLetterHeaders } from "@adstream/contracts/dead-letter";
import { rejectCode } from "@adstream/engine/columns";
import type { SetAside } from "@adstream/engine/dead-letters";
import type { TaskOutput } from "@adstream/engine/ports";
import { createResults } from "@adstream/engine/results";
import { expect, test } from "vitest";
import { setAsideRecords } from "../src/output-records.ts";

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
