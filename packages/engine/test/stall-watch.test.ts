import { expect, test } from "vitest";
import { type ReadPosition, watchForStalls } from "../src/stall-watch.ts";
import { settle, VirtualClock } from "./fakes/virtual-clock.ts";

/** A watchdog over positions that the test sets, and what it said. */
function watching(): {
  readonly clock: VirtualClock;
  /** The positions from now on, for so many seconds. */
  readonly live: (seconds: number, ...positions: Partial<ReadPosition>[]) => Promise<void>;
  readonly said: unknown[];
  readonly stop: () => void;
} {
  const clock = new VirtualClock();
  const said: unknown[] = [];
  const stopping = new AbortController();
  let now: ReadPosition[] = [];
  watchForStalls({ clock, positions: async () => now }, stopping.signal).then(
    () => said.push("ended"),
    (error: unknown) => said.push(error),
  );
  return {
    clock,
    said,
    stop: () => stopping.abort(),
    live: async (seconds, ...positions) => {
      const usual = { partition: 0, nextOffset: 7, lagRecords: 3, paused: false };
      now = positions.map((position) => ({ ...usual, ...position }));
      await clock.advance(seconds * 1_000);
    },
  };
}

test("a partition with records to read whose offset stands for 120 s ends the process with 70", async () => {
  const { live, said } = watching();
  await live(600, { partition: 0, lagRecords: 0 });
  await live(105, { partition: 0, lagRecords: 0 }, { partition: 3, nextOffset: 42 });
  expect(said).toEqual([]);
  await live(45, { partition: 0, lagRecords: 0 }, { partition: 3, nextOffset: 42, lagRecords: 9 });
  expect(said).toMatchObject([
    {
      code: "STALLED",
      exitCode: 70,
      message: "partition 3 stands at offset 42 for 120 s with 9 records to read; start again",
    },
  ]);
});

test.each<[string, Partial<ReadPosition>]>([
  ["that is paused", { paused: true }],
  ["at the log end", { lagRecords: 0 }],
  ["whose log end is not known yet", { lagRecords: null }],
])("a partition %s may stand for ever, and begins anew afterwards", async (_what, standing) => {
  const { live, said } = watching();
  await live(100, {});
  await live(3_600, standing);
  await live(115, {});
  expect(said).toEqual([]);
  await live(45, {});
  expect(said).toHaveLength(1);
});

test("an offset that moves by one record in two minutes is progress", async () => {
  const { live, said } = watching();
  for (let nextOffset = 0; nextOffset < 20; nextOffset++) await live(115, { nextOffset });
  expect(said).toEqual([]);
});

test("a partition that went away and came back begins anew", async () => {
  const { live, said } = watching();
  await live(100, {});
  await live(15);
  await live(100, {});
  expect(said).toEqual([]);
});

test("a process that was frozen for an hour does not blame its partitions", async () => {
  const { clock, live, said } = watching();
  await live(60, {});
  clock.freeze(3_600_000);
  await live(20, {});
  expect(said).toEqual([]);
});

test("the watch ends with its signal", async () => {
  const { live, said, stop } = watching();
  await live(60, {});
  stop();
  await settle();
  expect(said).toEqual(["ended"]);
});
