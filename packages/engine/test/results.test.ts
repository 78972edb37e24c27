import { expect, test } from "vitest";
import { appendResult, createResults, resultKey } from "../src/results.ts";

test("results grow over their capacity in rows and in key bytes without losing a value", () => {
  const results = createResults(2, 1, 1);
  const keyOf = (row: number): Buffer => Buffer.from(`key ${row} `.repeat(row % 5));
  for (let row = 0; row < 500; row++) {
    expect(appendResult(results, keyOf(row))).toBe(row);
    results.windowStart[row] = row;
    results.windowEnd[row] = row + 1;
    results.version[row] = row + 2;
    results.status[row] = row % 3;
    results.records[row] = row + 4;
    results.maxEventTime[row] = row + 5;
    results.maxRecordTime[row] = row + 6;
    for (const [at, sum] of results.sums.entries()) sum[row] = row + 7 + at;
    for (const max of results.maxima) max[row] = row + 9;
  }
  expect(results.count).toBe(500);
  for (let row = 0; row < 500; row++) {
    expect(Buffer.from(resultKey(results, row))).toEqual(keyOf(row));
    const { windowStart, windowEnd, version, status, records } = results;
    expect([windowStart, windowEnd, version, records].map((column) => column[row])).toEqual([
      row,
      row + 1,
      row + 2,
      row + 4,
    ]);
    expect(status[row]).toBe(row % 3);
    expect([results.maxEventTime[row], results.maxRecordTime[row]]).toEqual([row + 5, row + 6]);
    expect(results.sums.map((sum) => sum[row])).toEqual([row + 7, row + 8]);
    expect(results.maxima.map((max) => max[row])).toEqual([row + 9]);
  }
});
