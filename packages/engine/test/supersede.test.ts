import { expect, test } from "vitest";
import { standingResults } from "../src/supersede.ts";
import { Task } from "../src/task.ts";
import { rowsOf } from "./drive-task.ts";
import { testJob } from "./fakes/fake-process.ts";
import { columnsOf, record } from "./logged-records.ts";

/** A task that read events of these times, one record each, and what of its results may still change. */
function standing(times: readonly number[]): unknown[] {
  const task = new Task({ ...testJob, allowedLatenessMs: 100 }, 0, 0);
  const records = times.map((eventTime, offset) => record(offset, { key: "a", eventTime }));
  task.apply(columnsOf(records, 1), records.length);
  task.output(0, false);
  const restored = Task.restore(task.job, 0, task.snapshot());
  return rowsOf({ results: standingResults(restored) }).map(
    ({ windowStart, status, version, records: count }) => [windowStart, status, version, count],
  );
}

test.each([
  ["an open window as it is", [5], [[0, "early", 2, 1]]],
  [
    "a closed one as it closed",
    [5, 100],
    [
      [0, "final", 4, 1],
      [60, "early", 4, 1],
    ],
  ],
  [
    "a corrected one as it was corrected",
    [5, 100, 50],
    [
      [0, "corrected", 6, 2],
      [60, "early", 4, 1],
    ],
  ],
  [
    "one that closed without a record and got one since",
    [100, 50],
    [
      [0, "corrected", 4, 1],
      [60, "early", 2, 1],
    ],
  ],
  ["nothing of one that is beyond correction", [5, 300], [[300, "early", 4, 1]]],
])("what stands is %s", (_case, times, rows) => {
  expect(standing(times)).toEqual(rows);
});
