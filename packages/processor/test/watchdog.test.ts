import { expect, test } from "vitest";
import { readPositions } from "../src/watchdog.ts";

test("a task's position is behind its last applied record; its source says how far the log goes", async () => {
  const tasks = [4, 5, 6].map((partition) => ({ task: { partition, nextOffset: 7 } }));
  const source = {
    logEnd: (partition: number) => (partition === 6 ? undefined : partition * 2),
    waiting: (partition: number) => partition === 5,
    describe: () => Promise.reject(new Error("no broker")),
  };
  expect(await readPositions(tasks, source)).toEqual([
    { partition: 4, nextOffset: 7, lagRecords: 1, paused: false },
    { partition: 5, nextOffset: 7, lagRecords: 3, paused: true },
    { partition: 6, nextOffset: 7, lagRecords: null, paused: false },
  ]);
});
