import { expect, test } from "vitest";
import { failureRateBelow, floors, quantiles, trend } from "../src/statistics.ts";

test("quantiles are values that were measured, by nearest rank", () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(quantiles(values)).toEqual({ count: 100, p50: 50, p95: 95, p99: 99, max: 100 });
  expect(quantiles(values.slice(-10))).toEqual({ count: 10, p50: 5, p95: 10, p99: 10, max: 10 });
  expect(quantiles([7])).toEqual({ count: 1, p50: 7, p95: 7, p99: 7, max: 7 });
  expect(quantiles([])).toBeUndefined();
});

const line = (count: number, y: (x: number) => number) =>
  Array.from({ length: count }, (_, x) => ({ x, y: y(x) }));

test("a trend is found through outliers, with where it lies", () => {
  expect(trend(line(20, (x) => 5 + 2 * x))).toEqual({ slope: 2, low: 2, high: 2 });
  expect(trend(line(20, (x) => (x % 5 === 4 ? 1_000 : 5 + 2 * x)))?.slope).toBeCloseTo(2);
});

test("the interval of a trend holds the ranks that Sen gives", () => {
  // 10 points: 45 slopes, 21.9 apart; all slopes of x^2 are sums of two different x.
  const sums = Array.from({ length: 10 }, (_, a) =>
    Array.from({ length: 10 }, (_, b) => (b > a ? [a + b] : [])),
  )
    .flat(2)
    .toSorted((a, b) => a - b);
  expect(trend(line(10, (x) => x * x))).toEqual({ slope: 9, low: sums[11], high: sums[34] });
});

test("without two points there is no trend", () => {
  expect(trend([])).toBeUndefined();
  expect(trend([{ x: 1, y: 1 }])).toBeUndefined();
  expect(trend([1, 2].map((y) => ({ x: 1, y })))).toBeUndefined();
  expect(trend(line(2, (x) => x))).toEqual({ slope: 1, low: 1, high: 1 });
});

test("floors are the lowest points of stretches that begin at the first point", () => {
  const points = [7, 3, 9, 8, 4, 6].map((y, index) => ({ x: 100 + index, y }));
  expect(floors(points, 3)).toEqual([
    { x: 101, y: 3 },
    { x: 104, y: 4 },
  ]);
  expect(floors([], 3)).toEqual([]);
});

test("no failure in a thousand faults leaves a rate of 0.3 % likely", () => {
  expect(failureRateBelow(1_000)).toBeCloseTo(0.003);
  expect(failureRateBelow(0)).toBe(1);
});
