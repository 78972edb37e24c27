import { expect, test } from "vitest";
import { completeness, createWatermark, watermarkTime } from "../src/watermark.ts";

test.each([
  ["a fast clock in the event is held back by the record", 1_000, 400, 400],
  ["an old event counts by its own time", 400, 1_000, 400],
  ["equal times", 400, 400, 400],
  ["a record without timestamp counts by event time", 1_000, -1, 1_000],
  ["a record at the epoch has a timestamp", 1_000, 0, 0],
  ["an event before the epoch", -7, 5, -7],
  ["an event before the epoch, without timestamp", -7, -1, -7],
])("%s: event %d, record %d says %d", (_, eventTime, recordTime, says) => {
  expect(completeness(eventTime, recordTime)).toBe(says);
});

test("before the first record nothing is complete", () => {
  expect(watermarkTime(createWatermark(10))).toBe(Number.NEGATIVE_INFINITY);
});

test("the delay applies to records and not to decisions; the further one counts", () => {
  const watermark = createWatermark(10);
  watermark.highest = 100;
  expect(watermarkTime(watermark)).toBe(90);
  watermark.decided = 95;
  expect(watermarkTime(watermark)).toBe(95);
  watermark.highest = 120;
  expect(watermarkTime(watermark)).toBe(110);
});
