import { expect, test } from "vitest";

import { createColumns, rejectCode } from "../src/columns.ts";
import { plainCompleteness } from "../src/plain-rows.ts";

const bounds = { from: 1_000, to: 2_000, maxFutureMs: 500 };

/** Columns of events at these times, logged at the same ones or at others. */
function columnsOf(times: readonly number[], logged: readonly number[] = times) {
  const columns = createColumns(0);
  columns.count = times.length;
  columns.eventTime.set(times);
  columns.recordTime.set(logged);
  return columns;
}

test("rows within the bounds complete time up to the highest of them", () => {
  expect(plainCompleteness(columnsOf([1_000, 1_999, 1_500]), 0, 3, bounds)).toBe(1_999);
});

test("an event ahead of its record completes time up to the record only", () => {
  expect(plainCompleteness(columnsOf([1_600], [1_100]), 0, 1, bounds)).toBe(1_100);
});

test("an event whose record has no time counts by its own", () => {
  expect(plainCompleteness(columnsOf([1_900], [-1]), 0, 1, bounds)).toBe(1_900);
});

test.for([
  ["before the first time", columnsOf([1_500, 999])],
  ["at the end", columnsOf([1_500, 2_000])],
  ["further ahead of its record than allowed", columnsOf([1_500, 1_601], [1_500, 1_100])],
] as const)("a row %s asks for a closer look", ([, columns]) => {
  expect(plainCompleteness(columns, 0, 2, bounds)).toBe(Infinity);
});

test("a rejected row asks for a closer look, whatever its time", () => {
  const columns = columnsOf([1_500, 1_500]);
  columns.rejected[1] = rejectCode("trailing bytes");
  expect(plainCompleteness(columns, 0, 2, bounds)).toBe(Infinity);
});

test("only the rows asked for are looked at", () => {
  expect(plainCompleteness(columnsOf([0, 1_500, 3_000]), 1, 2, bounds)).toBe(1_500);
});
