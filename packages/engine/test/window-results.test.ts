import { expect, test } from "vitest";
import { appendResult } from "../src/results.ts";
import { WindowResults } from "../src/window-results.ts";
import { testJob } from "./fakes/fake-process.ts";

/** Adds so many rows and takes them. @returns the room there is for the next */
function roomAfter(results: WindowResults, rows: number): number {
  for (let row = 0; row < rows; row++) appendResult(results.columns, Buffer.from("k"));
  expect(results.take().count).toBe(rows);
  expect(results.columns.count).toBe(0);
  return results.columns.keyEnd.length;
}

test("columns begin with room for as many rows as were taken last, up to a bound", () => {
  const results = new WindowResults(testJob, 1_000);
  const rooms = [3, 1_000, 100_000, 0].map((rows) => roomAfter(results, rows));
  expect(rooms).toEqual([8, 1_250, 8_192, 8]);
});
