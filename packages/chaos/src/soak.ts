import type { Fleet, Member } from "./fleet.ts";
import {
  bucketQuantile,
  type MetricsSample,
  metricsSample,
  procSample,
} from "./process-samples.ts";
import { floors, type Point, quantiles, type Trend, trend } from "./statistics.ts";

/** What the processes used over time. */
export type SoakFigures = {
  /** Those that nobody hurt, then the others by their age. */
  readonly processes: readonly ProcessFigures[];
  /** Figures out of bounds, one sentence each. */
  readonly problems: readonly string[];
};

export type ProcessFigures = {
  readonly name: string;
  readonly lifetime: number;
  readonly minutes: number;
  /** Median after the warm-up. */
  readonly rssMiB: number;
  /** Of the lowest reading of each minute after the warm-up; undefined when that was shorter than two minutes. */
  readonly rssMiBPerHour: Trend | undefined;
  /** Smallest used heap, which is close to that after a collection: first and last quarter after the warm-up. */
  readonly heapMiB: readonly [number, number];
  /** Most open descriptors: first and last quarter after the warm-up. */
  readonly fds: readonly [number, number];
  /** Of the readings' own 99th percentiles after the warm-up, the 99th. */
  readonly eventLoopP99Ms: number;
  /** Upper bound of the bucket; undefined where none were written. */
  readonly checkpointP99Ms: number | undefined;
};

/** Samples the fleet until it is finished or disposed of. */
export type Soak = Disposable & { finish(): SoakFigures };

/** What one process was seen to use; times in ms, oldest first. */
export type Series = {
  readonly name: string;
  readonly lifetime: number;
  readonly rss: Point[];
  readonly fds: Point[];
  readonly heap: Point[];
  readonly loopMs: Point[];
  checkpoints: MetricsSample["checkpoints"];
};

const sampleEveryMs = 5_000;
const msPerHour = 3_600_000;
/** What is garbage at the time of a reading is none of our business: the least of a minute is nearest to what stays. */
const floorMs = 60_000;
/**
 * Caches fill, and V8 and malloc find their size, which takes them three to five minutes. Compiled code takes longer: V8
 * compiles a function again when it ran 400 and 3,000 times since the start, so what runs once a second, or at a rejoin, has
 * its turn late. Sinks and processors were seen to take 0.4 to 0.7 MiB * ln(t) for it: some 2 MiB/h from the 10th to the 30th
 * minute, and by that 0.6 from the 30th to the 90th. A leak grows as fast after half an hour as before.
 */
const warmUpShare = 1 / 3;
const maxWarmUpMs = 30 * 60_000;
const minSlopeMs = 2 * 60_000;
/** Protocol 5.7. Figures of less than a quarter of an hour are mostly noise and fail nobody. */
const limits = { rssMiBPerHour: 1, judgedMinutes: 15, heapGrowth: 1.05, eventLoopMs: 100 };
/** Of the longest life, to have its memory judged: a process that was killed and started again has not warmed up as long. */
const judgedShareOfRun = 0.9;
const checkpointLimitMs = 1_000;

export function openSoak(fleet: Pick<Fleet, "members">): Soak {
  const all = new Map<string, Series>();
  const timer = setInterval(() => {
    for (const member of fleet.members) void sample(member, seriesOf(all, member));
  }, sampleEveryMs);
  return {
    finish() {
      clearInterval(timer);
      return soakFigures([...all.values()]);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

export function soakFigures(all: readonly Series[]): SoakFigures {
  const processes = all
    .map(figuresOf)
    .toSorted((a, b) => b.minutes - a.minutes || a.name.localeCompare(b.name));
  const runMinutes = Math.max(0, ...processes.map(({ minutes }) => minutes));
  return { processes, problems: processes.flatMap((each) => problemsOf(each, runMinutes)) };
}

function seriesOf(all: Map<string, Series>, { name, lifetime }: Member): Series {
  const key = `${name}#${lifetime}`;
  const none = { rss: [], fds: [], heap: [], loopMs: [], checkpoints: new Map() };
  const series = all.get(key) ?? { name, lifetime, ...none };
  all.set(key, series);
  return series;
}

async function sample({ process, frozen }: Member, series: Series): Promise<void> {
  if (frozen) return;
  const x = performance.now();
  const seen = procSample(process.pid);
  if (seen === undefined) return;
  series.rss.push({ x, y: seen.rssMiB });
  series.fds.push({ x, y: seen.fds });
  const metrics = await metricsSample(process.status["url"]);
  if (metrics === undefined) return;
  series.heap.push({ x, y: metrics.heapMiB });
  series.loopMs.push({ x, y: metrics.eventLoopP99Ms });
  series.checkpoints = metrics.checkpoints;
}

function figuresOf(series: Series): ProcessFigures {
  const { name, lifetime, checkpoints } = series;
  const begin = series.rss[0]?.x ?? 0;
  const ageMs = (series.rss.at(-1)?.x ?? 0) - begin;
  const warmAt = begin + Math.min(ageMs * warmUpShare, maxWarmUpMs);
  const warm = (points: readonly Point[]): Point[] => points.filter(({ x }) => x >= warmAt);
  const rss = warm(series.rss);
  const heaps = quarters(warm(series.heap), Math.min);
  const long = begin + ageMs - warmAt >= minSlopeMs;
  return {
    name,
    lifetime,
    minutes: ageMs / 60_000,
    rssMiB: quantiles(rss.map(({ y }) => y))?.p50 ?? 0,
    rssMiBPerHour: long ? perHour(trend(floors(rss, floorMs))) : undefined,
    heapMiB: heaps,
    fds: quarters(warm(series.fds), Math.max),
    eventLoopP99Ms: quantiles(warm(series.loopMs).map(({ y }) => y))?.p99 ?? 0,
    checkpointP99Ms: bucketQuantile(checkpoints, 0.99),
  };
}

function perHour(perMs: Trend | undefined): Trend | undefined {
  if (perMs === undefined) return undefined;
  const { slope, low, high } = perMs;
  return { slope: slope * msPerHour, low: low * msPerHour, high: high * msPerHour };
}

function quarters(
  points: readonly Point[],
  choose: (...values: number[]) => number,
): [number, number] {
  const size = Math.ceil(points.length / 4);
  const values = points.map(({ y }) => y);
  return size === 0 ? [0, 0] : [choose(...values.slice(0, size)), choose(...values.slice(-size))];
}

function problemsOf(figures: ProcessFigures, runMinutes: number): string[] {
  const { name, lifetime, minutes, rssMiBPerHour, heapMiB, fds } = figures;
  if (minutes < limits.judgedMinutes) return [];
  const who = `${name} (process ${lifetime})`;
  const wholeRun = minutes >= runMinutes * judgedShareOfRun;
  const wrong: readonly (readonly [boolean, string])[] = [
    [
      wholeRun && (rssMiBPerHour?.slope ?? 0) > limits.rssMiBPerHour,
      `its memory grows by ${trendText(rssMiBPerHour)} MiB/h`,
    ],
    [
      heapMiB[1] > heapMiB[0] * limits.heapGrowth,
      `its heap grew from ${heapMiB[0].toFixed(1)} to ${heapMiB[1].toFixed(1)} MiB`,
    ],
    [fds[1] > fds[0], `its open descriptors grew from ${fds[0]} to ${fds[1]}`],
    [
      figures.eventLoopP99Ms > limits.eventLoopMs,
      `its event loop was ${figures.eventLoopP99Ms.toFixed(0)} ms late (p99)`,
    ],
    [
      (figures.checkpointP99Ms ?? 0) > checkpointLimitMs,
      `its checkpoints took up to ${figures.checkpointP99Ms} ms (p99)`,
    ],
  ];
  return wrong.flatMap(([holds, text]) => (holds ? [`${who}: ${text}`] : []));
}

function trendText(rate: Trend | undefined): string {
  if (rate === undefined) return "–";
  return `${rate.slope.toFixed(2)} (${rate.low.toFixed(1)} to ${rate.high.toFixed(1)})`;
}

/** For people: the processes that lived longest. */
export function soakLines({ processes }: SoakFigures): string[] {
  const head = [
    "process",
    "minutes",
    "RSS MiB",
    "MiB/h (95 %)",
    "heap MiB",
    "fds",
    "loop p99",
    "ckpt p99",
  ];
  const rows = [head, ...processes.slice(0, maxShown).map(cellsOf)];
  const width = (column: number): number =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0));
  return rows.map((cells) => cells.map((cell, at) => cell.padEnd(width(at))).join("  "));
}

const maxShown = 12;

function cellsOf(figures: ProcessFigures): string[] {
  const { name, lifetime, minutes, rssMiB, rssMiBPerHour, heapMiB, fds } = figures;
  return [
    `${name}#${lifetime}`,
    minutes.toFixed(1),
    rssMiB.toFixed(1),
    trendText(rssMiBPerHour),
    `${heapMiB[0].toFixed(1)} → ${heapMiB[1].toFixed(1)}`,
    `${fds[0]} → ${fds[1]}`,
    `${figures.eventLoopP99Ms.toFixed(0)} ms`,
    figures.checkpointP99Ms === undefined ? "–" : `≤ ${figures.checkpointP99Ms} ms`,
  ];
}
