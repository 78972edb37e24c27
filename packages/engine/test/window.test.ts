import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  newestWindowStart,
  nextWindowEnd,
  paneLength,
  slidingWindow,
  windowStarts,
} from "../src/window.ts";

const minute = slidingWindow(60_000, 30_000);
const at = (clock: string): number => Date.parse(`2026-03-01T${clock}Z`);

//   11:59:00   11:59:30   12:00:00   12:00:30   12:01:00
//      [----------+----------)
//                 [----------+----------)
//                            [----------+----------)
//                               ^ 12:00:20
test.each([
  ["inside two windows", "12:00:20", ["11:59:30", "12:00:00"]],
  ["at the start of the newer one, out of the older", "12:00:00", ["11:59:30", "12:00:00"]],
  ["at an end: the window that ends there does not hold it", "12:00:30", ["12:00:00", "12:00:30"]],
  ["a millisecond before the end", "12:00:29.999", ["11:59:30", "12:00:00"]],
])("an event %s, at %s, is in %j", (_, time, starts) => {
  expect(windowStarts(at(time), minute)).toEqual(starts.map(at));
});

// size 5, slide 3:   [-6 -1)  [-3  2)  [0  5)  [3  8)
test.each([
  [-4, [-6]],
  [-3, [-6, -3]],
  [-1, [-3]],
  [0, [-3, 0]],
  [1, [-3, 0]],
  [2, [0]],
  [4, [0, 3]],
])("before the epoch as after it: %d is in %j for 5 every 3", (time, starts) => {
  expect(windowStarts(time, slidingWindow(5, 3))).toEqual(starts);
});

test.each([
  [60_000, 30_000, 30_000],
  [50, 30, 10],
  [7, 3, 1],
  [12, 12, 12],
  [12, 8, 4],
])("windows of %d every %d share panes of %d", (sizeMs, slideMs, pane) => {
  expect(paneLength(slidingWindow(sizeMs, slideMs))).toBe(pane);
});

test.each([
  [10, 0],
  [10, -5],
  [10, 11],
  [10.5, 5],
  [10, 2.5],
  [Number.NaN, 1],
  [Number.POSITIVE_INFINITY, 1],
])("a window of %d every %d is refused", (sizeMs, slideMs) => {
  expect(() => slidingWindow(sizeMs, slideMs)).toThrow(/window in whole ms|0 < slide <= size/);
});

describe("for any window and any time up to the year 275760, before the epoch too,", () => {
  const window = fc
    .tuple(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 0, max: 3_000 }))
    .map(([slideMs, more]) => slidingWindow(slideMs + more, slideMs));
  const time = fc.oneof(
    fc.integer({ min: -10_000, max: 10_000 }),
    fc.integer({ min: -8.64e15, max: 8.64e15 }),
  );

  test("an event is in exactly the aligned windows that hold it", () => {
    fc.assert(
      fc.property(window, time, ({ sizeMs, slideMs }, t) => {
        const starts = windowStarts(t, { sizeMs, slideMs });
        const aligned = starts.every((start) => Math.abs(start % slideMs) === 0);
        expect(aligned && starts.every((start) => start <= t && t < start + sizeMs)).toBe(true);
        // The neighbours on both sides do not hold it.
        const [oldest = Number.NaN, newest = Number.NaN] = [starts[0], starts.at(-1)];
        expect(oldest - slideMs + sizeMs <= t && newest + slideMs > t).toBe(true);
        expect(starts.length).toBe((newest - oldest) / slideMs + 1);
        expect(newestWindowStart(t, { sizeMs, slideMs })).toBe(newest);
      }),
      { numRuns: 1_000 },
    );
  });

  test("the next end is the first one behind it", () => {
    fc.assert(
      fc.property(window, time, ({ sizeMs, slideMs }, t) => {
        const end = nextWindowEnd(t, { sizeMs, slideMs });
        expect(Math.abs((end - sizeMs) % slideMs)).toBe(0);
        expect(end > t && end - slideMs <= t).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});
