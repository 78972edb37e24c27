import type { CompareOptions } from "./compare-options.ts";
import type { Drain } from "./drain.ts";
import type { Cell, Figures } from "./results.ts";
import { median } from "./table.ts";

/** What one engine did with the backlog once. */
export type Contestant = {
  readonly name: string;
  /** "ok", or how it ended. */
  readonly status: string;
  readonly eventsPerSecond: number;
  /** Of the whole process tree from exec to exit, per million events; the broker's is not in it. */
  readonly cpuSecondsPerMillion: number;
  /** Without what was used before the first record; we: before the first partition may be read. */
  readonly cpuSecondsPerMillionRunning: number;
  readonly peakRssMb: number;
  /** (ad, window) rows by the oracle. */
  readonly right: number;
  /** Different, missing or not to be there. */
  readonly wrong: number;
};

/** One processor of ours, or several. */
export const isOurs = ({ name }: Pick<Contestant, "name">): boolean => name.startsWith("adstream");

/** @param line of the peers' `run --json` */
export function contestantOf(name: string, line: unknown): Contestant {
  const value = (key: string): unknown => Reflect.get(Object(line), key);
  const figure = (key: string): number => Number(value(key) ?? Number.NaN);
  return {
    name,
    status: String(value("status")),
    eventsPerSecond: figure("events_per_s"),
    cpuSecondsPerMillion: figure("cpu_s_per_million"),
    cpuSecondsPerMillionRunning: figure("cpu_s_per_million_without_start"),
    peakRssMb: figure("peak_rss_mb"),
    right: figure("right"),
    wrong: figure("wrong") + figure("missing"),
  };
}

/** Their memory is in MB, ours in MiB. */
export function ourselves({ client, rows, peakRssMiB, ...drained }: Drain): Contestant {
  return {
    ...drained,
    name: client,
    status: "ok",
    peakRssMb: (peakRssMiB * 2 ** 20) / 1e6,
    right: rows.right,
    wrong: rows.wrong + rows.missing + rows.extra,
  };
}

/** One row for each engine, ourselves first, with how it compares to one processor of ours. */
export function contestFigures(
  contestants: readonly Contestant[],
  { events, codec, runs }: Pick<CompareOptions, "events" | "codec" | "runs">,
): Figures {
  const medians = [...Map.groupBy(contestants, ({ name }) => name).values()].map(medianOf);
  const own = medians.filter(isOurs);
  const others = medians.filter((one) => !isOurs(one));
  const of = runs > 1 ? `, medians of ${runs} runs` : "";
  return {
    setting: `${events.toLocaleString("en")} Avro events of 1,000 ads in 4 partitions of one Apache Kafka, codec ${codec}, windows of 60 s each 30 s, results when a window closes${of}`,
    tables: [
      {
        caption: "",
        columns: [
          { name: "engine" },
          { name: "events/s" },
          { name: "CPU s/M", digits: 2 },
          { name: "without start", digits: 2 },
          { name: "RSS MB" },
          { name: "we: times faster", digits: 1 },
          { name: "less CPU", digits: 1 },
          { name: "without start, too", digits: 1 },
          { name: "less memory", digits: 1 },
          { name: "exact" },
        ],
        rows: [...own, ...others].map((one) => row(one, own[0] ?? one)),
      },
    ],
    raw: contestants,
  };
}

const measures = [
  "eventsPerSecond",
  "cpuSecondsPerMillion",
  "cpuSecondsPerMillionRunning",
  "peakRssMb",
] as const;

/** Of one engine's runs; rows and status are those of the worst. */
function medianOf(runs: readonly Contestant[]): Contestant {
  const [worst] = runs.toSorted((a, b) => Number(exact(a)) - Number(exact(b)));
  if (worst === undefined) throw new Error("no run to take the median of");
  const figures = measures.map((measure) => [measure, median(runs.map((one) => one[measure]))]);
  return { ...worst, ...Object.fromEntries(figures) };
}

function row(one: Contestant, own: Contestant): Cell[] {
  const [rate, cpu, running, memory] = measures.map((measure) => one[measure]);
  const [ownRate, ownCpu, ownRunning, ownMemory] = measures.map((measure) => own[measure]);
  return [
    one.name,
    figure(rate),
    figure(cpu),
    figure(running),
    figure(memory),
    ...(one === own
      ? [null, null, null, null]
      : [
          times(ownRate, rate),
          times(cpu, ownCpu),
          times(running, ownRunning),
          times(memory, ownMemory),
        ]),
    verdict(one),
  ];
}

/** NaN where it was not measured: the engine failed, or prints no mark at its first record. */
function figure(value = Number.NaN): Cell {
  return Number.isFinite(value) ? value : null;
}

function times(more = Number.NaN, less = Number.NaN): Cell {
  return figure(more / less);
}

function exact({ status, right, wrong }: Contestant): boolean {
  return status === "ok" && right > 0 && wrong === 0;
}

function verdict(one: Contestant): string {
  if (exact(one)) return "yes";
  return one.status === "ok" ? `no: ${one.wrong} of ${one.right + one.wrong} rows` : one.status;
}
