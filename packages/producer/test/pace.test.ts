import * as fc from "fast-check";
import { expect, test } from "vitest";
import { uniformArrivals } from "../src/arrivals.ts";
import { openPace } from "../src/pace.ts";

const noBound = Number.MAX_SAFE_INTEGER;

test("records are due at even gaps, from the start", () => {
  const pace = openPace({ arrivals: uniformArrivals(100), startMs: 5, maxBehindMs: 1_000 });
  expect(pace.take(4, noBound)).toEqual([]);
  expect(pace.take(30, noBound)).toEqual([5, 15, 25]);
  expect(pace.nextMs()).toBe(35);
  expect(pace.take(30, noBound)).toEqual([]);
});

test("what does not fit into a batch stays due", () => {
  const pace = openPace({ arrivals: uniformArrivals(100), startMs: 0, maxBehindMs: 1_000 });
  expect(pace.take(35, 2)).toEqual([0, 10]);
  expect(pace.take(35, 2)).toEqual([20, 30]);
});

test("any gaps are followed, not only even ones", () => {
  const gaps = [1, 50, 2].values();
  const arrivals = { next: () => ({ done: false as const, value: gaps.next().value ?? 1_000 }) };
  const pace = openPace({ arrivals, startMs: 0, maxBehindMs: 1_000 });
  expect(pace.take(100, noBound)).toEqual([0, 1, 51, 53]);
});

test("through stalls within the bound the rate of 10 s holds to 1 %", () => {
  const stalls = fc.array(fc.integer({ min: 1, max: 4_900 }), { minLength: 1, maxLength: 200 });
  const rates = fc.integer({ min: 100, max: 20_000 });
  fc.assert(
    fc.property(stalls, rates, (waits, rate) => {
      const pace = openPace({ arrivals: uniformArrivals(rate), startMs: 0, maxBehindMs: 5_000 });
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
  const pace = openPace({ arrivals: uniformArrivals(100), startMs: 0, maxBehindMs: 5_000 });
  expect(pace.take(60_000, noBound)).toHaveLength(501);
  expect(pace.skippedMs()).toBe(55_000);
  expect(pace.take(60_100, noBound)).toHaveLength(10);
});
