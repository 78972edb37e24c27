import { expect, test } from "vitest";
import { createProgress } from "../src/progress.ts";
import { resultPositions, watchdog } from "../src/watchdog.ts";
import { manualClock } from "./fakes/manual-clock.ts";

const source = {
  logEnd: (partition: number) => [10, 20][partition],
  waiting: () => false,
  describe: () => Promise.reject(new Error("no broker")),
};

test("what was read and is not in MongoDB counts as standing still", async () => {
  const progress = createProgress();
  progress.assigned([0, 1, 2]);
  progress.started(0, 4);
  progress.started(1, 20);
  const report = { positions: () => progress.positions(), storeAway: () => false };
  expect(await resultPositions({ source, report })).toEqual([
    { partition: 0, nextOffset: 4, lagRecords: 6, paused: false },
    { partition: 1, nextOffset: 20, lagRecords: 0, paused: false },
  ]);
  progress.applied([
    {
      partition: 0,
      nextOffset: 9,
      maxTimestamp: 0,
      results: [],
      records: () => [],
      refused: [],
      canary: "",
      superseded: 0,
    },
  ]);
  expect((await resultPositions({ source, report }))[0]).toMatchObject({
    nextOffset: 9,
    lagRecords: 1,
  });
});

test("a stall is reported unless MongoDB is being waited for", async () => {
  const clock = manualClock();
  const said: unknown[] = [];
  let away = true;
  const report = { positions: () => new Map([[0, 4]]), storeAway: () => away };
  using _watched = watchdog({ source, report, clock }, (error) => said.push(error));
  await clock.advance(7_200_000);
  expect(said).toEqual([]);
  away = false;
  await clock.advance(150_000);
  expect(said).toMatchObject([{ code: "STALLED" }]);
});
