import { expect, test } from "vitest";
import { requestLimit } from "../src/request-limit.ts";

function allowedOf(limit: ReturnType<typeof requestLimit>, times: readonly number[]): number {
  return times.filter((nowMs) => limit("10.0.0.1", nowMs)).length;
}

test("so many at once, and then one for each part of a second that passed", () => {
  const limit = requestLimit(100);
  expect(
    allowedOf(
      limit,
      Array.from({ length: 150 }, () => 1_000),
    ),
  ).toBe(100);
  expect(allowedOf(limit, [1_005])).toBe(0);
  expect(allowedOf(limit, [1_010, 1_011, 1_020, 1_021])).toBe(2);
  expect(
    allowedOf(
      limit,
      Array.from({ length: 150 }, () => 9_000),
    ),
  ).toBe(100);
});

test("at the pace of the limit nobody is refused, at twice the pace every other one", () => {
  expect(allowedOf(requestLimit(100), every(10, 1_000))).toBe(1_000);
  const fast = allowedOf(requestLimit(100), every(5, 2_000));
  expect(fast).toBeGreaterThanOrEqual(1_090);
  expect(fast).toBeLessThanOrEqual(1_101);
});

test("one address does not use up what another may", () => {
  const limit = requestLimit(2);
  expect([limit("a", 0), limit("a", 0), limit("a", 0), limit("b", 0)]).toEqual([
    true,
    true,
    false,
    true,
  ]);
});

test("a flood from ever new addresses forgets the quietest, not those who are hammering", () => {
  const limit = requestLimit(1);
  limit("hammer", 0);
  for (let index = 0; index < 30_000; index++) {
    limit(`address ${index}`, 0);
    if (index % 1_000 === 0) expect(limit("hammer", 0)).toBe(false);
  }
});

function every(stepMs: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => index * stepMs);
}
