import * as fc from "fast-check";
import { expect, test } from "vitest";
import { arrivalGaps, arrivalModels } from "@adstream/traffic/arrivals";
import { openPace } from "../src/pace.ts";
import { randomAt } from "@adstream/traffic/random";
import type { Gaps } from "@adstream/traffic/arrivals";

const noBound = Number.MAX_SAFE_INTEGER;

function uniform(rate: number): Gaps {
  return arrivalGaps("uniform", rate, randomAt(1, 0));
}

test("records are due at even gaps, from the start", () => {
  const pace = openPace({ gaps: uniform(100), startMs: 5, maxBehindMs: 1_000 });
  expect(pace.take(4, noBound)).toEqual([]);
  expect(pace.take(30, noBound)).toEqual([5, 15, 25]);
  expect(pace.nextMs()).toBe(35);
  expect(pace.take(30, noBound)).toEqual([]);
});

test("what does not fit into a batch stays due", () => {
  const pace = openPace({ gaps: uniform(100), startMs: 0, maxBehindMs: 1_000 });
  expect(pace.take(35, 2)).toEqual([0, 10]);
  expect(pace.take(35, 2)).toEqual([20, 30]);
});

test("any gaps are followed, not only even ones", () => {
  const some = [1, 50, 2].values();
  const gaps = (): number => some.next().value ?? 1_000;
  const pace = openPace({ gaps, startMs: 0, maxBehindMs: 1_000 });
  expect(pace.take(100, noBound)).toEqual([0, 1, 51, 53]);
});

test("through stalls within the bound the rate of 10 s holds to 1 %", () => {
  const stalls = fc.array(fc.integer({ min: 1, max: 4_900 }), { minLength: 1, maxLength: 200 });
  const rates = fc.integer({ min: 100, max: 20_000 });
  fc.assert(
    fc.property(stalls, rates, (waits, rate) => {
      const pace = openPace({ gaps: uniform(rate), startMs: 0, maxBehindMs: 5_000 });
      let sent = 0;
      let turn = 0;
      for (let nowMs = 0; nowMs < 10_000; nowMs += waits[turn++ % waits.length] ?? 1) {
        sent += pace.take(nowMs, noBound).length;
      }
      sent += pace.take(10_000, noBound).length;
      expect(Math.abs(sent / (rate * 10) - 1)).toBeLessThan(0.01 + 1 / (rate * 10));
      expect(pace.skippedMs()).toBe(0);
    }),
    { numRuns: 100 },
  );
});

test("after a longer stall only the bound is made up for, and the rest is counted", () => {
  const pace = openPace({ gaps: uniform(100), startMs: 0, maxBehindMs: 5_000 });
  expect(pace.take(60_000, noBound)).toHaveLength(501);
  expect(pace.skippedMs()).toBe(55_000);
  expect(pace.take(60_100, noBound)).toHaveLength(10);
});

test("nothing is due from the end on, and there is no next record then", () => {
  const pace = openPace({ gaps: uniform(100), startMs: 5, durationMs: 20, maxBehindMs: 1_000 });
  expect(pace.take(10, noBound)).toEqual([5]);
  expect(pace.nextMs()).toBe(15);
  expect(pace.take(1_000, noBound)).toEqual([15]);
  expect(pace.nextMs()).toBe(Number.POSITIVE_INFINITY);
  expect(pace.skippedMs()).toBe(0);
});

test("the schedule is the same whenever it starts, its last record included", () => {
  const records = (startMs: number): number => {
    const pace = openPace({
      gaps: uniform(7_000),
      startMs,
      durationMs: 9_000,
      maxBehindMs: 10_000,
    });
    return pace.take(startMs + 9_001, noBound).length;
  };
  const starts = Array.from({ length: 200 }, (_, index) => index * 1_234.567_89);
  expect(new Set(starts.map(records)).size).toBe(1);
});

test.each(arrivalModels)(
  "%s: however late the calls, what is due by any time is what the schedule has by then",
  (model) => {
    const waits = fc.array(fc.integer({ min: 1, max: 4_900 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(waits, fc.integer(), (delays, seed) => {
        const gaps = (): Gaps => arrivalGaps(model, 300, randomAt(seed >>> 0, 0));
        const schedule: number[] = [];
        const next = gaps();
        for (let dueMs = 0; dueMs <= 300_000; dueMs += next()) schedule.push(dueMs);
        const pace = openPace({ gaps: gaps(), startMs: 0, maxBehindMs: 5_000 });
        const taken: number[] = [];
        let nowMs = 0;
        for (const delayMs of delays) {
          nowMs += delayMs;
          taken.push(...pace.take(nowMs, noBound));
        }
        expect(taken).toEqual(schedule.filter((dueMs) => dueMs <= nowMs));
      }),
      { numRuns: 20 },
    );
  },
);
