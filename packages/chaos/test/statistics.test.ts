import { expect, test } from "vitest";
import { failureRateBelow, quantiles, slope } from "../src/statistics.ts";

test("quantiles are values that were measured, by nearest rank", () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(quantiles(values)).toEqual({ count: 100, p50: 50, p95: 95, p99: 99, max: 100 });
  expect(quantiles(values.slice(-10))).toEqual({ count: 10, p50: 5, p95: 10, p99: 10, max: 10 });
  expect(quantiles([7])).toEqual({ count: 1, p50: 7, p95: 7, p99: 7, max: 7 });
  expect(quantiles([])).toBeUndefined();
});

test("the slope of a line is found through noise that cancels out", () => {
  const points = [0, 1, 2, 3].map((x) => ({ x, y: 5 + 2 * x }));
  expect(slope(points)).toBeCloseTo(2);
  const noise = [1, -1, -1, 1];
  expect(slope(points.map(({ x, y }, at) => ({ x, y: y + noise[at]! })))).toBeCloseTo(2);
  expect(slope([{ x: 1, y: 1 }])).toBeUndefined();
});

test("no failure in a thousand faults leaves a rate of 0.3 % likely", () => {
  expect(failureRateBelow(1_000)).toBeCloseTo(0.003);
  expect(failureRateBelow(0)).toBe(1);
});
