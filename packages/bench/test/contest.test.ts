import { expect, test } from "vitest";
import { type Contestant, contestantOf, contestFigures, ourselves } from "../src/contest.ts";

const options = { events: 5_000_000, codec: "none", runs: 1 } as const;
const line = {
  engine: "flink",
  status: "ok",
  events_per_s: 872_251,
  cpu_s_per_million: 3.09,
  cpu_s_per_million_without_start: 2.01,
  peak_rss_mb: 617,
  right: 10_000,
  wrong: 0,
  missing: 0,
};
const own: Contestant = {
  name: "adstream",
  status: "ok",
  eventsPerSecond: 2_616_753,
  cpuSecondsPerMillion: 0.309,
  cpuSecondsPerMillionRunning: 0.201,
  peakRssMb: 123.4,
  right: 10_000,
  wrong: 0,
};
const rowsOf = (contestants: readonly Contestant[]): unknown =>
  contestFigures(contestants, options).tables[0]?.rows;

test("we come first, and the others say how many times more we do and they use", () => {
  expect(rowsOf([contestantOf("flink", line), own])).toEqual([
    ["adstream", 2_616_753, 0.309, 0.201, 123.4, null, null, null, null, "yes"],
    ["flink", 872_251, 3.09, 2.01, 617, 3, 10, expect.closeTo(10), 5, "yes"],
  ]);
});

test("several processors of ours come next, as compared to one", () => {
  const two = { ...own, name: "adstream x 2", eventsPerSecond: 2 * own.eventsPerSecond };
  const rows = Object(rowsOf([contestantOf("flink", line), own, two]));
  expect(rows.map(([name]: unknown[]) => name)).toEqual(["adstream", "adstream x 2", "flink"]);
  expect(rows[1].slice(5)).toEqual([0.5, 1, 1, 1, "yes"]);
});

test("rows that are wrong or missing are said, and so is an engine that failed", () => {
  const wrong = contestantOf("flink", { ...line, right: 9_990, wrong: 3, missing: 7 });
  const failed = contestantOf("spark", {
    ...line,
    status: "timeout",
    events_per_s: null,
    right: 0,
  });
  const rows = Object(rowsOf([own, wrong, failed]));
  expect([rows[1].at(-1), rows[2].at(1), rows[2].at(-1)]).toEqual([
    "no: 10 of 10000 rows",
    null,
    "timeout",
  ]);
});

test("of several runs the figures are medians and the verdict is the worst", () => {
  const runs = [1, 3, 2].map((rate) => contestantOf("flink", { ...line, events_per_s: rate }));
  const bad = runs.map((one, run) => (run === 1 ? { ...one, right: 9_999, wrong: 1 } : one));
  expect(Object(rowsOf([own, ...bad]))[1]).toEqual(
    expect.arrayContaining(["flink", 2, "no: 1 of 10000 rows"]),
  );
});

test("our memory is counted in MB like theirs, and rows too many are wrong", () => {
  const drained = ourselves({
    client: "adstream",
    seconds: 2,
    eventsPerSecond: 2_500_000,
    cpuSecondsPerMillion: 0.4,
    cpuSecondsPerMillionRunning: 0.3,
    peakRssMiB: 100,
    resultRecords: 20_000,
    rows: { right: 10_000, wrong: 1, missing: 2, extra: 4 },
  });
  expect([drained.peakRssMb, drained.right, drained.wrong]).toEqual([104.8576, 10_000, 7]);
});
