import { expect, test } from "vitest";
import { RecoveryTimes } from "../src/recovery-times.ts";

const a = { name: "processor-1", lifetime: 1 };
const b = { name: "processor-2", lifetime: 1 };
const at = (ms: number): string => new Date(ms).toISOString();

function watching(): RecoveryTimes {
  const times = new RecoveryTimes();
  times.see(a, { msg: "partitions assigned", time: at(0), partitions: [0, 1] });
  times.see(b, { msg: "partitions assigned", time: at(0), partitions: [2] });
  return times;
}

/*
 *   1000 kill of a   4000 assigned to b   4100 acquired   5000 first result
 */
test("a task is recovered when somebody publishes a result of it after the kill", () => {
  const times = watching();
  times.fault(a, "kill", 1_000);
  // Written before the kill and read after it.
  times.see(a, { msg: "results published", time: at(999), partition: 0, results: 3 });
  times.see(b, { msg: "partitions assigned", time: at(4_000), partitions: [0, 2] });
  times.see(b, { msg: "task acquired", time: at(4_100), partition: 0 });
  times.see(b, { msg: "results published", time: at(4_500), partition: 0, results: 0 });
  times.see(b, { msg: "results published", time: at(5_000), partition: 0, results: 3 });
  expect(times.recoveries).toEqual([
    {
      partition: 0,
      fault: "kill",
      totalMs: 4_000,
      assignedMs: 3_000,
      acquiredMs: 3_100,
      disturbed: 0,
    },
  ]);
  expect(times.waiting.map(({ partition }) => partition)).toEqual([1]);
});

test("a second kill before a task is back counts for both, and says so", () => {
  const times = watching();
  times.fault(a, "kill", 1_000);
  times.see(b, { msg: "partitions assigned", time: at(2_000), partitions: [0, 1, 2] });
  times.fault(b, "kill", 3_000);
  const c = { name: "processor-1", lifetime: 2 };
  for (const partition of [0, 1, 2]) {
    times.see(c, { msg: "results published", time: at(9_000), partition, results: 1 });
  }
  const of0 = times.recoveries.filter(({ partition }) => partition === 0);
  expect(of0).toMatchObject([
    { totalMs: 8_000, disturbed: 1 },
    { totalMs: 6_000, disturbed: 0 },
  ]);
  expect(times.recoveries).toHaveLength(5);
  expect(times.waiting).toEqual([]);
});
