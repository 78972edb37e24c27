import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Task } from "../src/task.ts";
import type { WindowedJob } from "../src/windowed-job.ts";
import { arbitraryJob, arbitraryLog, arbitraryQuiet, arbitrarySteps } from "./arbitrary-log.ts";
import { drive, type Step } from "./drive-task.ts";
import { columnsOf, type LoggedRecord, record } from "./logged-records.ts";
import { batchOracle } from "./oracle.ts";

const uuid = "0190a0f0-7b1c-7cc3-9a3e-0123456789ab";
/** Windows of a minute; an id is forgotten when the watermark is more than two minutes behind its event. */
const job: WindowedJob = {
  window: { sizeMs: 60_000, slideMs: 60_000 },
  watermarkDelayMs: 10_000,
  allowedLatenessMs: 0,
  maxFutureMs: 3_600_000,
  sumCount: 1,
  deduplicate: { horizonMs: 120_000, maxIds: 1_000 },
};

type Outcome = "counted" | "late" | "dead" | "duplicate";

/** What becomes of each record, one after the other. */
function outcomes(records: readonly Partial<LoggedRecord>[], by = job): Outcome[] {
  const task = new Task(by, 0, 0);
  return records.map((parts, offset) => {
    const before = { ...task.counts };
    task.apply(columnsOf([record(offset, parts)]), offset + 1);
    const { counts } = task;
    if (counts.duplicates > before.duplicates) return "duplicate";
    if (counts.late > before.late) return "late";
    return counts.dead > before.dead ? "dead" : "counted";
  });
}

describe("an event whose id was there before", () => {
  test("is dropped, counted as a duplicate and sent nowhere", () => {
    const task = new Task(job, 0, 0);
    const event = { eventTime: 5_000, id: "e1", values: [3] };
    task.apply(columnsOf([record(0, event), record(1, event), record(2, event)]), 3);
    expect(task.counts).toEqual({ in: 3, late: 0, dead: 0, duplicates: 2 });
    const { results, late, deadLetters } = task.output(0, false);
    expect([results.count, results.records[0], results.sums[0]?.[0]]).toEqual([1, 1, 3]);
    expect([late, deadLetters]).toEqual([[], []]);
  });

  test("is a duplicate whatever its key and its event time say", () => {
    const records = [
      { id: "e1", eventTime: 5_000, key: "a" },
      { id: "e1", eventTime: 5_000, key: "b" },
      { id: "e1", eventTime: 90_000, recordTime: 90_000 },
      { id: "e2", eventTime: 5_000, key: "a" },
    ];
    expect(outcomes(records)).toEqual(["counted", "duplicate", "duplicate", "counted"]);
  });

  test("counts when it has none: null is no id", () => {
    expect(outcomes([{}, {}, { id: "" }])).toEqual(["counted", "counted", "counted"]);
  });

  test("does not advance the watermark", () => {
    // 5 s ----- 200 s: were the duplicate believed, the third would be late.
    const records = [
      { id: "e1", eventTime: 5_000 },
      { id: "e1", eventTime: 200_000 },
      { id: "e2", eventTime: 6_000 },
    ];
    expect(outcomes(records)).toEqual(["counted", "duplicate", "counted"]);
  });

  test("is remembered when it was late, and not when it was dead", () => {
    const late = { id: "e1", eventTime: 30_000 };
    const bad = { id: "e2", rejected: "short frame" as const };
    const ahead = { id: "e3", eventTime: 9_000_000, recordTime: 100_000 };
    const records = [
      { eventTime: 100_000 },
      late,
      late,
      bad,
      bad,
      ahead,
      ahead,
      { id: "e2", eventTime: 100_000 },
      { id: "e3", eventTime: 100_000 },
    ];
    expect(outcomes(records)).toEqual([
      "counted",
      "late",
      "duplicate",
      "dead",
      "dead",
      "dead",
      "dead",
      "counted",
      "counted",
    ]);
  });

  test("that cannot be processed is dead before it is a duplicate", () => {
    const event = { id: "e1", eventTime: 5_000 };
    const broken = { ...event, rejected: "trailing bytes" as const };
    expect(outcomes([event, broken, event])).toEqual(["counted", "dead", "duplicate"]);
  });

  // The watermark is 10 s behind; e1 of 5 s is forgotten once it is behind 125 s.
  test.each<[number, Outcome]>([
    [134_999, "duplicate"],
    [135_000, "duplicate"],
    [135_001, "late"],
    [500_000, "late"],
  ])(
    "is told until the watermark is further than the horizon behind it: log at %d ms",
    (now, outcome) => {
      const event = { id: "e1", eventTime: 5_000 };
      expect(outcomes([event, { eventTime: now }, event])).toEqual(["counted", "counted", outcome]);
    },
  );

  test("may come again under another time once it is forgotten, and is remembered anew", () => {
    const again = { id: "e1", eventTime: 140_000 };
    const records = [{ id: "e1", eventTime: 5_000 }, { eventTime: 140_000 }, again, again];
    expect(outcomes(records)).toEqual(["counted", "counted", "counted", "duplicate"]);
  });

  test("from the future is remembered until the log has got there", () => {
    const ahead = { id: "e1", eventTime: 3_000_000, recordTime: 0 };
    const later = { id: "e1", eventTime: 3_000_000, recordTime: 3_100_000 };
    const records = [ahead, { eventTime: 3_100_000 }, later];
    expect(outcomes(records)).toEqual(["counted", "counted", "duplicate"]);
  });

  test("counts again without deduplication", () => {
    const { deduplicate: _, ...plain } = job;
    expect(outcomes([{ id: "e1" }, { id: "e1" }], plain)).toEqual(["counted", "counted"]);
  });
});

describe("ids", () => {
  test.each([
    ["of which one begins with the other", "e1", "e10"],
    ["that differ in case alone", uuid, uuid.toUpperCase()],
    [
      "of a UUID and its packed bytes as text",
      "30313233-3435-3637-3839-616263646566",
      "0123456789abcdef",
    ],
    ["of 256 bytes that differ in the last", "x".repeat(256), `${"x".repeat(255)}y`],
    ["of which one has a g", uuid.replace(/ab$/, "ff"), uuid.replace(/ab$/, "fg")],
    ["that are almost a UUID", uuid, uuid.replace("-", "_")],
    ["of which one holds U+0000", "a", "a\u0000"],
    ["of other scripts", "日本", "日木"],
    ["that objects inherit", "__proto__", "constructor"],
  ])("%s are two ids", (_, a, b) => {
    const records = [a, b, a, b].map((id) => ({ id }));
    expect(outcomes(records)).toEqual(["counted", "counted", "duplicate", "duplicate"]);
  });

  test("more than may be remembered stop the task, and name the setting", () => {
    const few = { ...job, deduplicate: { horizonMs: 120_000, maxIds: 10 } };
    const events = Array.from({ length: 11 }, (_, at) => ({ id: `e${at}`, eventTime: at }));
    expect(outcomes(events.slice(0, 10), few)).not.toContain("duplicate");
    expect(() => outcomes(events, few)).toThrow(
      expect.objectContaining({
        code: "DEDUPLICATION_FULL",
        exitCode: 78,
        message: expect.stringMatching(
          /partition 0: 10 event ids .* DEDUPLICATE_MAX_IDS is 10; raise/,
        ),
      }),
    );
  });

  test("that are forgotten make room, in memory too", () => {
    const task = new Task({ ...job, deduplicate: { horizonMs: 120_000, maxIds: 2_000 } }, 0, 0);
    // 10 a second: 1,300 within horizon and delay.
    for (let offset = 0; offset < 30_000; offset++) {
      const event = record(offset, { id: `event ${offset}`, eventTime: offset * 100 });
      task.apply(columnsOf([event]), offset + 1);
      if (offset % 1_000 === 0) task.output(0, true);
    }
    expect(task.seen?.count).toBeLessThanOrEqual(2_000);
    expect(task.seen?.byteLength).toBeLessThan(300_000);
  });
});

const arbitraryDedup = fc
  .tuple(arbitraryJob(), fc.integer({ min: 0, max: 300 }))
  .map(([plain, horizonMs]) => ({ ...plain, deduplicate: { horizonMs, maxIds: 1_000 } }));
/** Few names, so that every kind of redelivery occurs: at once, late, with another time, after its id was forgotten. */
const arbitraryIds = fc.array(
  fc.constantFrom("", "e1", "e2", "0123456789abcdef", uuid, uuid.toUpperCase(), "x".repeat(256)),
  { minLength: 60, maxLength: 60 },
);
const arbitraryRedeliveries = fc
  .tuple(arbitraryLog(), arbitraryIds)
  .map(([log, ids]) => log.map((entry, at) => ({ ...entry, id: ids[at] ?? "" })));

describe("a task that deduplicates, for any horizon and disorder,", () => {
  test("ends with the results, late, dead and duplicate records of the batch oracle", () => {
    fc.assert(
      fc.property(arbitraryDedup, arbitraryRedeliveries, arbitrarySteps, (by, log, steps) => {
        const { seen, entries, task } = drive(by, log, steps);
        const truth = batchOracle(by, entries);
        expect(seen.results).toEqual(truth.results);
        expect([...seen.lateOffsets]).toEqual(truth.lateOffsets);
        expect([...seen.deadOffsets.keys()]).toEqual(truth.deadOffsets);
        expect(task.counts).toEqual({
          in: log.length,
          late: truth.lateOffsets.length,
          dead: truth.deadOffsets.length,
          duplicates: truth.duplicateOffsets.length,
        });
      }),
      { numRuns: 1_000 },
    );
  });

  test("has equal state bytes however the log is cut, and restored anywhere", () => {
    const restarts: Step[] = Array.from({ length: 60 }, (_, at): Step =>
      at % 2 === 0 ? { do: "apply", records: 1 } : { do: "restart" },
    );
    fc.assert(
      fc.property(arbitraryDedup, arbitraryRedeliveries, arbitrarySteps, (by, log, steps) => {
        const whole = drive(by, log, []);
        for (const other of [drive(by, log, steps), drive(by, log, restarts)]) {
          expect(Buffer.compare(other.task.snapshot(), whole.task.snapshot())).toBe(0);
          expect(other.seen.results).toEqual(whole.seen.results);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("forgets by recorded decisions as by records", () => {
    fc.assert(
      fc.property(arbitraryDedup, arbitraryRedeliveries, arbitraryQuiet, (by, log, quiet) => {
        const { seen, entries, task } = drive(by, log, quiet);
        const truth = batchOracle(by, entries);
        expect(seen.results).toEqual(truth.results);
        expect(task.counts.duplicates).toBe(truth.duplicateOffsets.length);
      }),
      { numRuns: 1_000 },
    );
  });

  test("never counts an event twice when the horizon covers a window and the lateness", () => {
    fc.assert(
      fc.property(
        arbitraryJob(),
        arbitraryLog(),
        fc.nat(),
        arbitrarySteps,
        (by, log, pick, steps) => {
          const horizonMs = by.window.sizeMs + by.allowedLatenessMs;
          const twice = redelivered(log, pick);
          const deduplicate = { horizonMs, maxIds: 1_000 };
          const { seen } = drive({ ...by, deduplicate }, twice, steps);
          const { seen: once } = drive(by, log, []);
          const records = (from: typeof seen): unknown =>
            new Map([...from.results].map(([slot, row]) => [slot, [row.records, row.sums]]));
          expect(records(seen)).toEqual(records(once));
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

/** Every event with an id of its own, and some of them again, anywhere behind. */
function redelivered(log: readonly LoggedRecord[], pick: number): LoggedRecord[] {
  const named = log.map((entry) => ({ ...entry, id: `event ${entry.offset}` }));
  const twice = named.flatMap((entry, at) => {
    const earlier = named[(at * 7 + pick) % (at + 1)];
    // The log's own time goes on: the record that delivers again is as young as its neighbour.
    const again = earlier && { ...earlier, recordTime: entry.recordTime };
    const dead = earlier?.rejected !== "accepted" || isAhead(earlier);
    return again === undefined || dead ? [entry] : [entry, again];
  });
  return twice.map((entry, offset) => ({ ...entry, offset }));
}

/** Dead for that, perhaps; delivered again later it would not be. */
function isAhead({ eventTime, recordTime }: LoggedRecord): boolean {
  return recordTime >= 0 && eventTime > recordTime;
}
