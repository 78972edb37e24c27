import { describe, expect, test } from "vitest";

import { countPartition, type RecountRules } from "../recount.ts";

const rules: RecountRules = {
  windowSizeMs: 60_000,
  windowSlideMs: 30_000,
  watermarkDelayMs: 10_000,
  allowedLatenessMs: 0,
  maxFutureMs: 3_600_000,
};
const noon = Date.UTC(2026, 0, 1, 12);

type Step = readonly [eventSeconds: number, recordSeconds?: number, adId?: string];

/** Counts events at seconds after noon, with their record times, and lists what came out. */
function count(steps: readonly Step[], given: Partial<RecountRules> = {}): unknown {
  const partition = countPartition({ ...rules, ...given });
  for (const [eventSeconds, recordSeconds = eventSeconds, adId = "a"] of steps) {
    const event = { adId, time: noon + eventSeconds * 1_000, clicks: 1, views: 2, cost: 0.5 };
    partition.add(event, recordSeconds < 0 ? -1 : noon + recordSeconds * 1_000);
  }
  const counts = [...partition.documents].map(([id, document]) => [
    id.replace("2026-01-01T", "").replace(":00.000Z", "").replace(".000Z", ""),
    document.count,
  ]);
  return { ...partition.tally, ...Object.fromEntries(counts) };
}

describe("windows", () => {
  test("of 12:00:20 are the two that begin at 11:59:30 and 12:00:00", () => {
    expect(count([[20]])).toEqual({ counted: 1, late: 0, dead: 0, "11:59:30/a": 1, "12:00/a": 1 });
  });

  test("begin with their start and end before their end", () => {
    expect(count([[30]])).toMatchObject({ "12:00/a": 1, "12:00:30/a": 1 });
    expect(count([[30]])).not.toHaveProperty("11:59:30/a");
  });

  test("hold times before the epoch", () => {
    const partition = countPartition(rules);
    partition.add({ adId: "a", time: -1, clicks: 0, views: 0, cost: 0 }, -1);
    expect([...partition.documents.keys()].map((id) => Date.parse(id.slice(0, -2)))).toEqual([
      -30_000, -60_000,
    ]);
  });
});

describe("the watermark", () => {
  // Window 11:59:30 ends at 30 s: it closes once the highest time reaches 40 s.
  test("closes a window when it reaches its end, not before", () => {
    expect(count([[39.999], [20]])).toMatchObject({ "11:59:30/a": 1, late: 0 });
    expect(count([[40], [20]])).not.toHaveProperty("11:59:30/a");
  });

  test("leaves an event in the window it is in time for", () => {
    expect(count([[40], [20]])).toMatchObject({ counted: 2, late: 0, "12:00/a": 2 });
  });

  test("makes an event late that has no window left", () => {
    expect(count([[70], [20]])).toMatchObject({ counted: 1, late: 1 });
  });

  test("allows for lateness", () => {
    expect(count([[70], [20]], { allowedLatenessMs: 10_001 })).toMatchObject({ late: 0 });
    expect(count([[70], [20]], { allowedLatenessMs: 10_000 })).toMatchObject({ late: 0 });
    expect(count([[80], [20]], { allowedLatenessMs: 10_000 })).toMatchObject({ late: 1 });
  });

  test("does not follow an event that is ahead of its record", () => {
    expect(count([[600, 20], [20]])).toMatchObject({ counted: 2, late: 0 });
  });

  test("follows the event where the record has no time", () => {
    expect(count([[600, -1], [20]])).toMatchObject({ counted: 1, late: 1 });
  });
});

describe("dead letters", () => {
  test("are events further ahead of their record than allowed", () => {
    expect(count([[3_600, 0]])).toMatchObject({ counted: 1, dead: 0 });
    expect(count([[3_600.001, 0]])).toMatchObject({ counted: 0, dead: 1 });
    expect(count([[9_999_999, -1]])).toMatchObject({ counted: 1, dead: 0 });
  });

  test.each([
    ["no value that can be read", undefined],
    ["an empty ad id", { adId: "" }],
    ["an ad id of 257 bytes", { adId: "é".repeat(128) + "x" }],
    ["a negative number", { clicks: -1 }],
    ["a number beyond int", { views: 2 ** 31 }],
    ["a cost of NaN", { cost: Number.NaN }],
    ["an endless cost", { cost: Infinity }],
    ["a negative cost", { cost: -0.01 }],
    ["a time that no calendar has", { time: 8.64e15 + 1 }],
  ])("are records with %s", (_, wrong) => {
    const partition = countPartition(rules);
    const event = { adId: "a", time: noon, clicks: 1, views: 1, cost: 1 };
    partition.add(wrong === undefined ? undefined : { ...event, ...wrong }, -1);
    expect(partition.tally).toEqual({ counted: 0, late: 0, dead: 1 });
  });

  test("do not move the watermark", () => {
    expect(count([[7_200, 600, "a"], [20]])).toMatchObject({ dead: 1, late: 0 });
  });
});
