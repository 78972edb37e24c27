import { describe, expect, test } from "vitest";

import { createProgress, type Progress } from "../src/progress.ts";
import { createRetentionAlarm, type RetentionAlarm } from "../src/retention-alarm.ts";

const hourMs = 3_600_000;
const noon = Date.UTC(2026, 0, 31, 12);

function applied(progress: Progress, partition: number, nextOffset: number): void {
  const nothing = { superseded: 0, results: [], records: () => [], refused: [], canary: "" };
  progress.applied([{ partition, nextOffset, maxTimestamp: noon, ...nothing }]);
}

describe("the age of what waits for MongoDB", () => {
  test("is that of the oldest batch on offer, however often it is offered", () => {
    const progress = createProgress();
    progress.assigned([0, 1, 2]);
    progress.started(0, 4);
    progress.started(1, 0);
    progress.offered(0, 9, noon);
    progress.offered(0, 12, noon + 1_000);
    progress.offered(0, 12, noon + 1_000);
    progress.offered(2, 5, noon);
    const ages = (): unknown => [...progress.oldestWaitingMs(noon + 5_000)];
    expect(ages()).toEqual([
      [0, 5_000],
      [1, 0],
    ]);
    applied(progress, 0, 9);
    expect(progress.oldestWaitingMs(noon + 5_000).get(0)).toBe(4_000);
    applied(progress, 0, 12);
    expect(progress.oldestWaitingMs(noon + 5_000).get(0)).toBe(0);
  });

  test("knows nothing of batches that were read before, of those without a time, and of former assignments", () => {
    const progress = createProgress();
    progress.assigned([0]);
    progress.started(0, 4);
    progress.offered(0, 4, noon - hourMs);
    expect(progress.oldestWaitingMs(noon).get(0)).toBe(0);
    progress.offered(0, 5, -1);
    expect(progress.oldestWaitingMs(noon).get(0)).toBe(0);
    progress.assigned([1]);
    expect(progress.oldestWaitingMs(noon).size).toBe(0);
  });

  test("is never negative, whatever the clock of the broker says", () => {
    const progress = createProgress();
    progress.assigned([0]);
    progress.started(0, 0);
    progress.offered(0, 1, noon + 5);
    expect(progress.oldestWaitingMs(noon).get(0)).toBe(0);
  });
});

describe("the alarm of the retention", () => {
  const said: string[] = [];
  const open = (retentionMs: number): RetentionAlarm => {
    said.length = 0;
    const say = (level: string) => (fields: object) => {
      said.push(`${level} ${Object.values(fields).join(" ")}`);
    };
    return createRetentionAlarm("results", retentionMs, { warn: say("warn"), info: say("info") });
  };
  const ages = (...hours: number[]): Map<number, number> =>
    new Map(hours.map((age, partition) => [partition, age * hourMs]));

  test("goes off at half of it, once, for each partition, and says when it is over", () => {
    const alarm = open(4 * hourMs);
    expect([...alarm.observe(ages(1, 0)).values()]).toEqual([0.25, 0]);
    expect(said).toEqual([]);
    expect([...alarm.observe(ages(2, 0)).values()]).toEqual([0.5, 0]);
    alarm.observe(ages(3, 2.5));
    alarm.observe(ages(5, 3));
    expect(said).toEqual(["warn results 0 0.5 14400000", "warn results 1 0.625 14400000"]);
    alarm.observe(ages(1, 3));
    alarm.observe(ages(0, 3));
    expect(said.slice(2)).toEqual(["info results 0 0.25 14400000"]);
    alarm.observe(ages(2.4, 3));
    expect(said.slice(3)).toEqual(["warn results 0 0.6 14400000"]);
  });

  test("forgets partitions that went to others", () => {
    const alarm = open(4 * hourMs);
    alarm.observe(ages(3));
    alarm.observe(new Map());
    alarm.observe(ages(3));
    expect(said).toHaveLength(2);
  });

  test("never goes off on a topic that keeps its records for ever", () => {
    expect([...open(Infinity).observe(ages(1_000_000)).values()]).toEqual([0]);
    expect(said).toEqual([]);
  });
});
