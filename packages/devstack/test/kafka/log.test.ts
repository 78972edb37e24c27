import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PartitionLog } from "../../src/kafka/log.ts";
import type { LogSlice } from "../../src/kafka/log.ts";
import { readHeader } from "../../src/kafka/record-batch.ts";
import { encodeBatch } from "./encode-batch.ts";

const MANY_BYTES = 1 << 30;

function append(log: PartitionLog, records: number, timestampMs = 1000): number {
  const values = Array.from({ length: records }, (_, index) => `v${index}`);
  const batch = encodeBatch({ values, timestampsMs: values.map(() => timestampMs) });
  const header = readHeader(batch);
  if (header === undefined) throw new Error("not a batch");
  return log.append(batch, header);
}

function baseOffsets(slice: LogSlice): number[] {
  const bytes = Buffer.concat(slice.pieces);
  const offsets: number[] = [];
  let at = 0;
  for (let header = readHeader(bytes); header !== undefined; header = readHeader(bytes, at)) {
    offsets.push(header.baseOffset);
    at += header.sizeBytes;
  }
  return offsets;
}

function openLog(retentionBytes = MANY_BYTES): PartitionLog {
  return new PartitionLog({ retentionBytes });
}

describe("a partition log", () => {
  test("gives a batch the next offset and leader epoch 0, and changes nothing else in it", () => {
    const log = openLog();
    append(log, 3);
    const sent = encodeBatch({ values: ["a", "b"], baseOffset: 77 });
    log.append(sent, readHeader(sent)!);
    const [piece] = log.read(3, MANY_BYTES, 1).pieces;
    expect(piece!.readBigInt64BE(0)).toBe(3n);
    expect(piece!.readInt32BE(12)).toBe(0);
    expect(piece!.subarray(16)).toEqual(sent.subarray(16));
    expect([log.start, log.highWatermark]).toEqual([0, 5]);
  });

  // batches at 0-2, 3-4, 5
  test.each([
    { offset: 0, expected: [0, 3, 5] },
    { offset: 2, expected: [0, 3, 5] },
    { offset: 3, expected: [3, 5] },
    { offset: 5, expected: [5] },
    { offset: 6, expected: [] },
  ])("read at $offset starts with the batch that holds it", ({ offset, expected }) => {
    const log = openLog();
    append(log, 3);
    append(log, 2);
    append(log, 1);
    expect(baseOffsets(log.read(offset, MANY_BYTES, 1))).toEqual(expected);
  });

  test("read returns whole batches within the limit, and the first one whatever its size", () => {
    const log = openLog();
    for (let count = 0; count < 3; count++) append(log, 1);
    const batchBytes = log.sizeBytes / 3;
    const taken = (maxBytes: number, minBatches: 0 | 1): number[] =>
      baseOffsets(log.read(0, maxBytes, minBatches));
    expect(taken(batchBytes * 2, 1)).toEqual([0, 1]);
    expect(taken(batchBytes * 3 - 1, 1)).toEqual([0, 1]);
    expect(taken(batchBytes * 3, 1)).toEqual([0, 1, 2]);
    expect(taken(1, 1)).toEqual([0]);
    expect(taken(batchBytes - 1, 0)).toEqual([]);
  });

  test("a batch that does not fit ends a read, even if one behind it in another segment would", () => {
    const log = openLog(8000);
    append(log, 1);
    const smallBytes = log.sizeBytes;
    append(log, 150);
    append(log, 1);
    expect(baseOffsets(log.read(0, smallBytes * 2, 1))).toEqual([0]);
  });

  test("small batches come as one slice, not one buffer each", () => {
    const log = openLog();
    for (let count = 0; count < 500; count++) append(log, 1);
    expect(log.read(0, MANY_BYTES, 1).pieces).toHaveLength(1);
  });

  test("beyond the retention the oldest batches go, the log start moves and offsets go on", () => {
    const log = openLog(8000);
    for (let count = 0; count < 1000; count++) append(log, 1);
    expect(log.sizeBytes).toBeLessThanOrEqual(8000);
    expect(log.start).toBeGreaterThan(800);
    expect(log.highWatermark).toBe(1000);
    const kept = baseOffsets(log.read(log.start, MANY_BYTES, 1));
    expect(kept).toEqual(Array.from({ length: 1000 - log.start }, (_, at) => log.start + at));
  });

  test("deleting records moves only the log start, and what is appended next has the next offset", () => {
    const log = openLog();
    append(log, 3);
    log.deleteBefore(2);
    expect([log.start, log.highWatermark]).toEqual([2, 3]);
    log.deleteBefore(3);
    expect(append(log, 1)).toBe(3);
    log.deleteBefore(1);
    expect(log.start).toBe(3);
  });

  test("a timestamp finds the first batch that is new enough and not deleted", () => {
    const log = openLog();
    for (const timestampMs of [100, 300, 200, 400]) append(log, 1, timestampMs);
    const found = (timestampMs: number): number | undefined => {
      const batch = log.firstBatchSince(timestampMs);
      return batch === undefined ? undefined : readHeader(batch)?.baseOffset;
    };
    expect([0, 100, 101, 300, 301, 401].map(found)).toEqual([0, 0, 1, 1, 3, undefined]);
    log.deleteBefore(2);
    expect(found(0)).toBe(2);
    expect(readHeader(log.newestBatch()!)?.baseOffset).toBe(3);
  });

  test("listeners hear the bytes of an append, 0 when the start moves, nothing after they left", () => {
    const log = openLog();
    const heard: number[] = [];
    const leave = log.listen((bytes) => heard.push(bytes));
    append(log, 1);
    log.deleteBefore(1);
    leave();
    append(log, 1);
    expect(heard).toEqual([log.sizeBytes / 2, 0]);
  });

  test("whatever is appended, dropped and asked for, a read is the run of batches from its offset on", () => {
    const step = fc.oneof(
      fc.record({ append: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ deleteShare: fc.double({ min: 0, max: 1, noNaN: true }) }),
    );
    const reads = fc.array(fc.tuple(fc.nat(400), fc.nat(4000)), { maxLength: 5 });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 30 }),
        reads,
        fc.integer({ min: 600, max: 9000 }),
        checkRun,
      ),
    );
  });
});

type Step = { append: number } | { deleteShare: number };

/** Against a list of all batches ever appended, with their sizes. */
function checkRun(steps: Step[], reads: [number, number][], retentionBytes: number): void {
  const log = openLog(retentionBytes);
  const model: { base: number; next: number; sizeBytes: number }[] = [];
  for (const step of steps) {
    if ("append" in step) {
      const base = append(log, step.append);
      const sizeBytes = Buffer.concat(log.read(base, MANY_BYTES, 1).pieces).length;
      model.push({ base, next: base + step.append, sizeBytes });
    } else {
      log.deleteBefore(Math.floor(log.highWatermark * step.deleteShare));
    }
  }
  for (const [offset, maxBytes] of reads) {
    if (offset < log.start || offset > log.highWatermark) continue;
    let leftBytes = maxBytes;
    const expected = model.filter(({ next }) => next > offset);
    const fitting = expected.findIndex(({ sizeBytes }) => (leftBytes -= sizeBytes) < 0);
    const count = fitting < 0 ? expected.length : Math.max(fitting, 1);
    const bases = expected.slice(0, count).map(({ base }) => base);
    expect(baseOffsets(log.read(offset, maxBytes, 1))).toEqual(bases);
  }
}
