import { describe, expect, test } from "vitest";
import { ProducerStates } from "../../src/kafka/producers.ts";
import { readHeader } from "../../src/kafka/record-batch.ts";
import type { BatchHeader } from "../../src/kafka/record-batch.ts";
import { encodeBatch } from "./encode-batch.ts";

const OUT_OF_ORDER = { error: 45 };
const FENCED = { error: 47 };
const MAX = 0x7fffffff;

function batch(baseSequence: number, records = 1, producerEpoch = 0): BatchHeader {
  const values = Array.from({ length: records }, () => "v");
  return readHeader(encodeBatch({ values, producerId: 9, producerEpoch, baseSequence }))!;
}

/** Producer 9 has written these, at offsets 0, 1, … per batch. */
function after(...batches: BatchHeader[]): ProducerStates {
  const states = new ProducerStates();
  for (const [offset, one] of batches.entries()) states.appended(one, offset);
  return states;
}

describe("sequence numbers of an idempotent producer", () => {
  test.each([
    { name: "an unknown producer may start at 0", before: [], next: batch(0), verdict: "append" },
    { name: "and anywhere", before: [], next: batch(7), verdict: "append" },
    {
      name: "the next sequence is right",
      before: [batch(0, 3)],
      next: batch(3),
      verdict: "append",
    },
    { name: "a gap is refused", before: [batch(0, 3)], next: batch(4), verdict: OUT_OF_ORDER },
    { name: "an overlap is refused", before: [batch(0, 3)], next: batch(2), verdict: OUT_OF_ORDER },
    {
      name: "the same batch is acknowledged where it lies",
      before: [batch(0, 3), batch(3)],
      next: batch(0, 3),
      verdict: { duplicateOf: 0 },
    },
    {
      name: "the same start with another length is no duplicate",
      before: [batch(0, 3)],
      next: batch(0, 2),
      verdict: OUT_OF_ORDER,
    },
    {
      name: "an older epoch is fenced",
      before: [batch(0, 1, 1)],
      next: batch(1, 1, 0),
      verdict: FENCED,
    },
    {
      name: "a new epoch starts at 0",
      before: [batch(0)],
      next: batch(0, 1, 1),
      verdict: "append",
    },
    { name: "and nowhere else", before: [batch(0)], next: batch(1, 1, 1), verdict: OUT_OF_ORDER },
    { name: "0 follows 2^31-1", before: [batch(MAX)], next: batch(0), verdict: "append" },
    { name: "a batch may wrap", before: [batch(MAX - 1, 3)], next: batch(1), verdict: "append" },
  ])("$name", ({ before, next, verdict }) => {
    expect(after(...before).judge(next)).toEqual(verdict);
  });

  test("the last five batches are remembered", () => {
    const states = after(...[0, 1, 2, 3, 4, 5].map((sequence) => batch(sequence)));
    expect(states.judge(batch(1))).toEqual({ duplicateOf: 1 });
    expect(states.judge(batch(0))).toEqual(OUT_OF_ORDER);
  });

  test("a producer without an id is never judged", () => {
    const states = new ProducerStates();
    const header = readHeader(encodeBatch())!;
    states.appended(header, 0);
    expect(states.judge(header)).toBe("append");
  });
});
