import { describe, expect, test } from "vitest";
import { Task } from "../src/task.ts";
import type { WindowedJob } from "../src/windowed-job.ts";
import { rowsOf } from "./drive-task.ts";
import { columnsOf, type LoggedRecord, record } from "./logged-records.ts";

const at = (clock: string): number => Date.parse(`2026-03-01T${clock}Z`);
const job: WindowedJob = {
  window: { sizeMs: 60_000, slideMs: 30_000 },
  watermarkDelayMs: 10_000,
  allowedLatenessMs: 0,
  maxFutureMs: 3_600_000,
  sumCount: 1,
};

/** A task that has read events at these times of day, offsets from 0. */
function read(task: Task, ...events: (string | Partial<LoggedRecord>)[]): void {
  const records = events.map((event, at_) => {
    const parts = typeof event === "string" ? { eventTime: at(event) } : event;
    return record(task.nextOffset + at_, parts);
  });
  task.apply(columnsOf(records), task.nextOffset + records.length);
}

/** Results as `start status@version records`, oldest first within one output. */
function told(task: Task, onlyFinal = false): string[] {
  return rowsOf(task.output(0, onlyFinal)).map(
    ({ windowStart, status, version, records }) =>
      `${new Date(windowStart).toISOString().slice(11, 19)} ${status}@${version} x${records}`,
  );
}

function offsets(aside: readonly { offset: number }[]): number[] {
  return aside.map(({ offset }) => offset);
}

describe("with a minute every 30 s and a delay of 10 s", () => {
  //   11:59:30   12:00:00   12:00:30   12:01:00   12:01:30
  //      [----------+----------)
  //                 [----------+----------)
  //                    ^ 12:00:20
  test("12:00:20 is in two windows and 12:00:30 is not in the first of them", () => {
    const task = new Task(job, 0, 0);
    read(task, "12:00:20", "12:00:30");
    expect(told(task)).toEqual([
      "11:59:30 early@2 x1",
      "12:00:00 early@4 x2",
      "12:00:30 early@4 x1",
    ]);
  });

  // watermark = 12:00:39.999 - 10 s = one millisecond before the end, then the end
  test("a window is final when the watermark reaches its end, and not a millisecond earlier", () => {
    const task = new Task(job, 0, 0);
    read(task, "12:00:20", "12:00:39.999");
    expect(told(task)).toContain("11:59:30 early@2 x1");
    read(task, "12:00:40");
    expect(told(task)).toContain("11:59:30 final@6 x1");
  });

  //   11:59:30   12:00:00   12:00:30   12:01:00
  //      [----------+----------)                      closed by 12:00:40
  //                 [--------x-+----------)
  //                          ^ 12:00:25, after the closing
  test("an event too late for one window and in time for the other counts in the other", () => {
    const task = new Task(job, 0, 0);
    read(task, "12:00:20", "12:00:40", "12:00:25");
    const rows = rowsOf(task.output(0, false));
    expect(rows.find(({ status }) => status === "final")).toMatchObject({ records: 1, version: 4 });
    expect(rows.find(({ windowStart }) => windowStart === at("12:00:00"))).toMatchObject({
      status: "early",
      records: 3,
      version: 6,
    });
    expect(task.counts).toEqual({ in: 3, late: 0, dead: 0, duplicates: 0 });
  });

  test("a closing record splits its batch: what comes behind it is not in the closed window", () => {
    const whole = new Task(job, 0, 0);
    read(whole, "12:00:20", "12:00:41", "12:00:21", "12:00:22");
    expect(told(whole, true)).toEqual(["11:59:30 final@4 x1"]);
  });

  test("an event too late for all of its windows is set aside and changes nothing", () => {
    const task = new Task(job, 0, 0);
    read(task, "12:00:20", "12:01:10");
    told(task);
    // The watermark is 12:01:00: [12:00:00, 12:01:00) has just closed.
    read(task, "12:00:29.999", "12:00:30");
    const output = task.output(0, false);
    expect(offsets(output.late)).toEqual([2]);
    expect(rowsOf(output).map(({ windowStart }) => windowStart)).toEqual([at("12:00:30")]);
    expect(task.counts).toEqual({ in: 4, late: 1, dead: 0, duplicates: 0 });
  });

  test("early results are those of windows that changed since the last time", () => {
    const task = new Task(job, 0, 0);
    read(task, "12:00:20", { eventTime: at("12:00:20"), key: "b" });
    expect(told(task)).toHaveLength(4);
    expect(told(task)).toEqual([]);
    read(task, { eventTime: at("12:00:31"), key: "b" });
    expect(told(task)).toEqual(["12:00:00 early@6 x2", "12:00:30 early@6 x1"]);
  });
});

describe("with an allowed lateness of 20 s", () => {
  const lenient = { ...job, allowedLatenessMs: 20_000 };

  //   end of [11:59:30, 12:00:30) 12:00:30 · corrected while the watermark < 12:00:50
  test("a closed window is corrected until watermark = end + lateness", () => {
    const task = new Task(lenient, 0, 0);
    read(task, "12:00:20", "12:00:40");
    expect(told(task)).toContain("11:59:30 final@4 x1");
    read(task, "12:00:21");
    expect(told(task)).toContain("11:59:30 corrected@6 x2");
    read(task, "12:00:59.999", "12:00:22");
    expect(told(task)).toContain("11:59:30 corrected@10 x3");
    read(task, "12:01:00", "12:00:23");
    expect(told(task).join()).not.toContain("11:59:30");
    expect(task.counts.late).toBe(0);
  });

  test("a correction that nobody took is kept when its window expires", () => {
    const task = new Task(lenient, 0, 0);
    read(task, "12:00:20", "12:00:40");
    told(task);
    read(task, "12:00:21", "12:01:00", "12:00:22");
    expect(told(task)[0]).toBe("11:59:30 corrected@6 x2");
  });

  test("a key that first comes to a window after its end is corrected from the start", () => {
    const task = new Task(lenient, 0, 0);
    read(task, "12:00:40", "12:00:20");
    expect(told(task)).toContain("11:59:30 corrected@4 x1");
  });
});

describe("a decision that a quiet partition goes on", () => {
  const now = at("12:05:00");

  test("reaches the end of the last open window that ended before now - delay, and no further", () => {
    const task = new Task(job, 0, 0);
    read(task, "12:00:20");
    const ends = [at("12:00:30"), at("12:01:00")];
    expect(task.aggregate.decidable(now)).toBe(ends[1]);
    expect(task.aggregate.decidable(at("12:01:10"))).toBe(ends[0]);
    expect(task.aggregate.decidable(at("12:01:10") + 1)).toBe(ends[1]);
    expect(task.aggregate.decidable(at("12:00:40"))).toBeUndefined();
  });

  test("closes with version 2n + 1: above the early result, below the next record", () => {
    const task = new Task(job, 0, 0);
    read(task, "12:00:20");
    expect(told(task)).toEqual(["11:59:30 early@2 x1", "12:00:00 early@2 x1"]);
    task.decide(task.aggregate.decidable(now) ?? Number.NaN);
    expect(told(task)).toEqual(["11:59:30 final@3 x1", "12:00:00 final@3 x1"]);
    read(task, "12:00:29", "12:00:30");
    expect(offsets(task.output(0, false).late)).toEqual([1]);
    expect(task.aggregate.decidable(now)).toBe(at("12:01:30"));
  });

  test("does not go back, and does nothing twice", () => {
    const task = new Task(job, 0, 0);
    read(task, "12:00:20");
    task.decide(at("12:01:00"));
    const bytes = task.snapshot();
    task.decide(at("12:01:00"));
    task.decide(at("12:00:30"));
    expect(task.snapshot()).toEqual(bytes);
    expect(told(task, true)).toHaveLength(2);
  });

  test("is nothing where no window is open", () => {
    expect(new Task(job, 0, 0).aggregate.decidable(now)).toBeUndefined();
  });
});

describe("the future guard", () => {
  test.each([
    ["exactly MAX_FUTURE ahead", 3_600_000, 0],
    ["a millisecond more", 3_600_001, 1],
  ])("an event %s of its record is dead: %d ms, %d", (_, aheadMs, dead) => {
    const task = new Task(job, 0, 0);
    const recordTime = at("12:00:00");
    read(task, { recordTime, eventTime: recordTime + aheadMs });
    expect(task.counts).toMatchObject({ in: 1, late: 0, dead });
    expect(task.aggregate.watermark.highest).toBe(dead ? Number.NEGATIVE_INFINITY : recordTime);
  });

  test("skips records without timestamp", () => {
    const task = new Task(job, 0, 0);
    read(task, "12:00:00", { recordTime: -1, eventTime: at("15:00:00") });
    expect(task.counts.dead).toBe(0);
  });

  test("an event ahead of the log makes nobody late", () => {
    const task = new Task(job, 0, 0);
    const recordTime = at("12:00:00");
    read(task, { recordTime, eventTime: recordTime + 3_000_000 }, "11:59:55");
    expect(task.counts).toEqual({ in: 2, late: 0, dead: 0, duplicates: 0 });
  });
});

test("rejected records move no watermark and are handed out in offset order with their bytes", () => {
  const task = new Task(job, 0, 0);
  read(task, "12:00:00", { eventTime: at("18:00:00"), rejected: "trailing bytes" }, "11:59:50");
  const { deadLetters, late } = task.output(0, false);
  expect(late).toEqual([]);
  expect(deadLetters).toHaveLength(1);
  expect(deadLetters[0]).toMatchObject({ offset: 1, reason: 7, recordTime: at("18:00:00") });
  expect(Buffer.from(deadLetters[0]?.value ?? []).toString()).toBe(`value 1 a ${at("18:00:00")}`);
});

test("a result carries the highest event and record time of its records", () => {
  const task = new Task(job, 0, 0);
  const eventTime = at("12:00:10");
  read(
    task,
    { eventTime, recordTime: eventTime + 5 },
    { eventTime: eventTime - 3, recordTime: eventTime + 9 },
  );
  expect(rowsOf(task.output(0, false))[1]).toMatchObject({
    maxEventTime: eventTime,
    maxRecordTime: eventTime + 9,
  });
});
