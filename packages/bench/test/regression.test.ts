import { expect, test } from "vitest";
import type { Drain } from "../src/drain.ts";
import { leastRatios, ratios, shortcomings } from "../src/regression.ts";

const drain = (client: Drain["client"], eventsPerSecond: number, cpuRunning: number): Drain => ({
  client,
  seconds: 1,
  eventsPerSecond,
  cpuSecondsPerMillion: 9,
  cpuSecondsPerMillionRunning: cpuRunning,
  peakRssMiB: 200,
  resultRecords: 10,
  rows: { right: 10, wrong: 0, missing: 0, extra: 0 },
});

test("each run is compared with the one beside it, so that a slow moment of the machine cancels out", () => {
  const drains = [
    drain("adstream", 2_000, 0.4),
    drain("kafkajs", 400, 2),
    // Everything takes ten times as long.
    drain("adstream", 200, 4),
    drain("kafkajs", 40, 20),
    // Something else ran beside one of them.
    drain("adstream", 1_000, 0.4),
    drain("kafkajs", 40, 2),
  ];
  expect(ratios(drains)).toEqual({ cpu: 5, rate: 5 });
});

test("a ratio at its bound passes, and one below it does not", () => {
  expect(shortcomings(leastRatios)).toEqual([]);
  expect(shortcomings({ cpu: 3.49, rate: 2.49 })).toEqual([
    "CPU seconds of the stock consumer to those of the processor: 3.49, below 3.5",
    "events per second of the processor to those of the stock consumer: 2.49, below 2.5",
  ]);
  expect(shortcomings({ cpu: Number.NaN, rate: Number.NaN })).toHaveLength(2);
});
