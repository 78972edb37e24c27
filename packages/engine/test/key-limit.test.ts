import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StreamError } from "../src/errors.ts";
import { Task } from "../src/task.ts";
import type { WindowedJob } from "../src/windowed-job.ts";
import { arbitraryJob, arbitraryLog, arbitrarySteps } from "./arbitrary-log.ts";
import { createSeen, drive, see, type Step } from "./drive-task.ts";
import { columnsOf, type LoggedRecord, record } from "./logged-records.ts";
import { batchOracle } from "./oracle.ts";

const job: WindowedJob = {
  window: { sizeMs: 60, slideMs: 60 },
  watermarkDelayMs: 0,
  allowedLatenessMs: 0,
  maxFutureMs: 1_000,
  sumCount: 1,
  maxKeys: 2,
};

/** One letter is one record of that key. */
function keys(text: string, eventTime = 1_000, from = 0): LoggedRecord[] {
  return text.split("").map((key, at) => record(from + at, { key, eventTime }));
}

function refused(by: WindowedJob, log: readonly LoggedRecord[]): string {
  const { deadOffsets } = drive(by, log, []).seen;
  const dead = log.filter(({ offset }) => deadOffsets.get(offset) === "too many keys");
  return dead.map(({ key }) => key).join("");
}

describe("a task that holds as many keys as it may", () => {
  test.each([
    ["new keys and no others", 2, "abacbdac", "cdc"],
    ["none when nobody set a limit", undefined, "abcdef", ""],
    ["none below the limit", 6, "abcdef", ""],
    ["everything but one key", 1, "abab", "bb"],
  ])("makes dead letters of %s", (_, maxKeys, text, dead) => {
    expect(refused({ ...job, maxKeys }, keys(text))).toBe(dead);
  });

  test("moves no watermark by what it refuses", () => {
    const log = [...keys("ab"), record(2, { key: "c", eventTime: 9_000 }), ...keys("a", 1_001, 3)];
    const { task, seen } = drive(job, log, []);
    expect(task.counts).toMatchObject({ in: 4, late: 0, dead: 1 });
    const statuses = [...seen.results.values()].map(({ key, status }) => `${key} ${status}`);
    expect(statuses).toEqual(["a early", "b early"]);
    expect(task.aggregate.watermark.highest).toBe(1_001);
  });

  test("says of late records that they are late, whatever their key", () => {
    const log = [...keys("ab", 1_000), ...keys("ab", 2_000, 2), ...keys("c", 1_000, 4)];
    expect(drive(job, log, []).task.counts).toMatchObject({ late: 1, dead: 0 });
  });

  test("has room again for each key whose windows expired, though most are still open", () => {
    const by = { ...job, maxKeys: 3 };
    const log = [
      ...keys("abc", 1_000),
      // Closes the window of "c"; "a" and "b" are in the next one already.
      ...keys("ab", 1_030, 3),
      ...keys("de", 1_035, 5),
    ];
    expect(refused(by, log)).toBe("e");
  });

  test("stops with exit code 65 when they are many, and names the variable", () => {
    const log = [...keys("ab"), ...keys("c".repeat(200), 1_000, 2)];
    let stopped: unknown;
    try {
      new Task(job, 4, 0).apply(columnsOf(log), log.length);
    } catch (error) {
      stopped = error;
    }
    expect(stopped).toBeInstanceOf(StreamError);
    expect(stopped).toMatchObject({ code: "DEAD_LETTER_BREAKER", exitCode: 65 });
    expect(String(stopped)).toMatch(/offset 101 because of too many keys; raise MAX_KEYS above 2/);
  });

  test("forgets the id of a refused event, so that it counts when it is sent again", () => {
    const by = { ...job, deduplicate: { horizonMs: 120_000, maxIds: 1_000 } };
    const event = (offset: number, key: string): LoggedRecord =>
      record(offset, { key, eventTime: 1_000, id: `id of ${key}` });
    const task = new Task(by, 0, 0);
    const log = [event(0, "a"), event(1, "b"), event(2, "c"), event(3, "c"), event(4, "a")];
    task.apply(columnsOf(log), 5);
    expect(task.counts).toMatchObject({ dead: 2, duplicates: 1 });
    const raised = Task.restore({ ...by, maxKeys: 3 }, 0, task.snapshot());
    raised.apply(columnsOf([event(5, "c"), event(6, "c")]), 7);
    expect(raised.counts).toMatchObject({ dead: 2, duplicates: 2 });
  });

  test("restores state of more keys than it may hold now, and adds none to them", () => {
    const before = drive({ ...job, maxKeys: undefined }, keys("abcd"), []).task;
    const task = Task.restore(job, 3, before.snapshot());
    task.apply(columnsOf(keys("de", 1_000, 4)), 6);
    expect([task.aggregate.keys.count, task.counts.dead]).toEqual([4, 1]);
  });
});

const limit = fc.integer({ min: 1, max: 5 });
const numRuns = 1_000;
const recordByRecord: Step[] = Array.from({ length: 200 }, () => ({ do: "apply", records: 1 }));

describe("for any limit, window and disorder", () => {
  test("state bytes, results and dead letters are equal for every cut and any restarts", () => {
    let some = 0;
    fc.assert(
      fc.property(arbitraryJob(), limit, arbitraryLog(), arbitrarySteps, (any, max, log, steps) => {
        const by = { ...any, maxKeys: max };
        const runs = [steps, [], recordByRecord].map((one) => drive(by, log, one));
        for (const { task, seen } of runs) {
          expect(task.snapshot()).toEqual(runs[0]?.task.snapshot());
          expect(seen.results).toEqual(runs[0]?.seen.results);
          expect(seen.deadOffsets).toEqual(runs[0]?.seen.deadOffsets);
          expect(task.aggregate.keys.count).toBeLessThanOrEqual(max);
        }
        if ([...(runs[0]?.seen.deadOffsets.values() ?? [])].includes("too many keys")) some++;
      }),
      { numRuns },
    );
    expect(some).toBeGreaterThan(numRuns / 10);
  });

  test("results are those of the log without the records that were refused", () => {
    fc.assert(
      fc.property(arbitraryJob(), limit, arbitraryLog(), arbitrarySteps, (any, max, log, steps) => {
        const { seen } = drive({ ...any, maxKeys: max }, log, steps);
        const judged = log.map((entry) => {
          const full = seen.deadOffsets.get(entry.offset) === "too many keys";
          return { record: full ? { ...entry, rejected: "too many keys" as const } : entry };
        });
        const { results, lateOffsets } = batchOracle(any, judged);
        expect(seen.results).toEqual(results);
        expect([...seen.lateOffsets]).toEqual(lateOffsets);
      }),
      { numRuns },
    );
  });
});

test("memory and refusals are equal after a restart at any record, reclaimed or not", () => {
  const by = { ...job, window: { sizeMs: 60, slideMs: 30 }, maxKeys: 40 };
  const log = Array.from({ length: 3_000 }, (_, at) => {
    const key = at % 300 === 0 ? `one more ${at}` : `k${Math.floor(at / 40) * 10 + (at % 10)}`;
    return record(at, { key, eventTime: 1_000 + at });
  });
  const whole = drive(by, log, []);
  expect(whole.task.counts.dead).toBeLessThan(90);
  let task = new Task(by, 3, 0);
  const seen = createSeen();
  for (let at = 0; at < log.length; at += 7) {
    const batch = log.slice(at, at + 7);
    task.apply(columnsOf(batch), at + batch.length);
    see(seen, task.output(0, false));
    task = Task.restore(by, 3, task.snapshot());
  }
  expect(task.snapshot()).toEqual(whole.task.snapshot());
  expect(seen.deadOffsets).toEqual(whole.seen.deadOffsets);
});
