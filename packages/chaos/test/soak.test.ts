import { expect, test } from "vitest";
import { seededRandom } from "../src/random.ts";
import { type Series, soakFigures, soakLines } from "../src/soak.ts";

const everyMs = 5_000;

/** Readings of half an hour, or of as many minutes. */
function seriesOf(rssMiB: (minute: number) => number, minutes = 30): Series {
  const points = Array.from(
    { length: (minutes * 60_000) / everyMs },
    (_, index) => index * everyMs,
  );
  const constant = (y: number) => points.map((x) => ({ x, y }));
  return {
    name: "sink-1",
    lifetime: 1,
    rss: points.map((x) => ({ x, y: rssMiB(x / 60_000) })),
    fds: constant(20),
    heap: constant(30),
    loopMs: constant(5),
    checkpoints: new Map(),
  };
}

/** Garbage that is collected now and then. */
const garbageMiB = (minute: number, { periodMinutes }: { periodMinutes: number }): number =>
  (20 * (minute % periodMinutes)) / periodMinutes;

test("garbage is no growth, and neither is noise", () => {
  const random = seededRandom(1);
  const noisy = seriesOf(
    (minute) => 150 + garbageMiB(minute, { periodMinutes: 0.7 }) + 0.2 * random.fraction(),
  );
  const { processes, problems } = soakFigures([noisy]);
  expect(problems).toEqual([]);
  expect(Math.abs(processes[0]?.rssMiBPerHour?.slope ?? 99)).toBeLessThan(1);
});

test("more garbage above the same floor is no growth", () => {
  const busier = seriesOf((minute) => 150 + minute * garbageMiB(minute, { periodMinutes: 0.5 }));
  const { processes, problems } = soakFigures([busier]);
  expect(problems).toEqual([]);
  expect(processes[0]?.rssMiBPerHour).toEqual({ slope: 0, low: 0, high: 0 });
});

test("growth of 2 MiB an hour is found under garbage of ten times as much", () => {
  const leaking = seriesOf(
    (minute) => 150 + (2 * minute) / 60 + garbageMiB(minute, { periodMinutes: 0.5 }),
  );
  const { processes, problems } = soakFigures([leaking]);
  expect(processes[0]?.rssMiBPerHour?.slope).toBeCloseTo(2, 1);
  expect(problems).toEqual([
    expect.stringMatching(/^sink-1 \(process 1\): its memory grows by 2\.00 \(/),
  ]);
  const [head, row] = soakLines({ processes, problems });
  expect(row).toContain("2.00 (2.0 to 2.0)");
  expect(row?.indexOf("30.0 → 30.0")).toBe(head?.indexOf("heap MiB"));
});

test("half an hour of a long run is warm-up: code is compiled ever more slowly", () => {
  const compiling = (minute: number): number => 100 + 0.8 * Math.log(minute + 1);
  expect(soakFigures([seriesOf(compiling)]).problems).toHaveLength(1);
  expect(soakFigures([seriesOf(compiling, 90)]).problems).toEqual([]);
  const leaking = (minute: number): number => compiling(minute) + minute / 60;
  expect(soakFigures([seriesOf(leaking, 90)]).problems).toHaveLength(1);
});

test("what a process takes in the first ten minutes of half an hour is warm-up", () => {
  const settling = seriesOf((minute) => 100 + 10 * Math.min(minute, 9));
  expect(soakFigures([settling]).problems).toEqual([]);
  const later = seriesOf((minute) => 100 + 10 * Math.min(minute, 20));
  expect(soakFigures([later]).problems).toHaveLength(1);
});

test("a process that lived for less than a quarter of an hour is shown and not judged", () => {
  const series = seriesOf((minute) => 100 + minute);
  const young = { ...series, rss: series.rss.slice(0, series.rss.length / 3) };
  const { processes, problems } = soakFigures([young]);
  expect(problems).toEqual([]);
  expect(processes[0]?.rssMiBPerHour?.slope).toBeCloseTo(60);
});

test("the memory of a process that started in the middle is shown; of those of the whole run it is judged", () => {
  const young = { ...seriesOf((minute) => 100 + minute, 40), name: "sink-2", lifetime: 2 };
  const { processes, problems } = soakFigures([seriesOf(() => 100, 90), young]);
  expect(problems).toEqual([]);
  expect(processes[1]?.rssMiBPerHour?.slope).toBeCloseTo(60);
});
