import { describe, expect, test } from "vitest";
import { replayLimits, Unsaved } from "../src/unsaved.ts";

const limits = { bytes: 100, ageMs: 1_000, logMs: 500 };

describe("what no checkpoint holds", () => {
  test("grows with every batch, and shrinks to what came behind the snapshot that was saved", () => {
    const unsaved = new Unsaved(0, false);
    unsaved.applied(10, 1, 0);
    unsaved.applied(20, 2, 0);
    unsaved.captured();
    unsaved.applied(5, 7, 0);
    expect([unsaved.bytes, unsaved.ageMs(11)]).toEqual([35, 10]);
    unsaved.saved(2);
    expect([unsaved.bytes, unsaved.ageMs(11)]).toEqual([5, 4]);
  });

  test("stays when a snapshot is not saved, and the next one holds it all", () => {
    const unsaved = new Unsaved(0, false);
    unsaved.applied(10, 1, 0);
    unsaved.captured();
    unsaved.applied(5, 7, 0);
    unsaved.captured();
    expect([unsaved.bytes, unsaved.ageMs(11)]).toEqual([15, 10]);
    unsaved.saved(3);
    expect([unsaved.bytes, unsaved.ageMs(11)]).toEqual([0, 0]);
  });

  test("is something when the offset moved or a decision was taken", () => {
    const unsaved = new Unsaved(7, false);
    expect(unsaved.changed(7)).toBe(false);
    expect(unsaved.changed(8)).toBe(true);
    unsaved.saved(8);
    unsaved.decided();
    expect(unsaved.changed(8)).toBe(true);
    unsaved.saved(8);
    expect(unsaved.changed(8)).toBe(false);
    expect(new Unsaved(7, true).changed(7)).toBe(true);
  });
});

describe("the limit of it", () => {
  test.each([
    ["nothing", 100, 0, 0, true, undefined],
    ["too many bytes, whatever the store says", 101, 0, 0, false, "bytes"],
    ["too long, whatever the store says", 1, 1_001, 0, false, "age"],
    ["too much of the log while checkpoints fail", 1, 0, 501, true, "retention"],
    ["much of the log while they do not: a backlog is read quickly", 1, 0, 501, false, undefined],
  ])("is exceeded by %s", (_, bytes, ageMs, logMs, failing, excess) => {
    const unsaved = new Unsaved(0, false);
    unsaved.applied(bytes, 0, 10_000);
    expect(unsaved.excess(limits, { nowMs: ageMs, logTime: 10_000 + logMs, failing })).toBe(excess);
  });

  test("is not exceeded by nothing, however long ago", () => {
    const now = { nowMs: 1e9, logTime: 1e9, failing: true };
    expect(new Unsaved(0, true).excess(limits, now)).toBeUndefined();
  });

  test("counts log time from the first record that has one", () => {
    const unsaved = new Unsaved(0, false);
    unsaved.applied(1, 0, Number.NEGATIVE_INFINITY);
    expect(unsaved.excess(limits, { nowMs: 0, logTime: 1e12, failing: true })).toBeUndefined();
  });

  test("is 2 GiB, 15 minutes and a fifth of the retention", () => {
    expect(replayLimits(100_000)).toEqual({ bytes: 2_147_483_648, ageMs: 900_000, logMs: 20_000 });
    expect(replayLimits(Number.POSITIVE_INFINITY).logMs).toBe(Number.POSITIVE_INFINITY);
  });
});
