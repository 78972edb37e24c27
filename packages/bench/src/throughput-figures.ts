import type { Drain } from "./drain.ts";
import type { Cell, Column, Figures, ResultTable } from "./results.ts";
import type { Report } from "./throughput.ts";

const columns: readonly Column[] = [
  { name: "client" },
  { name: "events/s" },
  { name: "lowest" },
  { name: "highest" },
  { name: "CPU s/M", digits: 3 },
  { name: "without start", digits: 3 },
  { name: "RSS MiB" },
  { name: "rows right" },
  { name: "wrong" },
];

/** Medians of the clients, how they compare, and every run where there are several. */
export function throughputFigures(report: Report): Figures {
  const { drains, medians, rateRatio, cpuRatio, scaling, options, servers } = report;
  const { events, ads, partitions, codec, runs, under } = options;
  const held = under.length > 0 ? `, each process under ${under.join(" ")}` : "";
  const compared: ResultTable = {
    caption: runs > 1 ? `Medians of ${runs} runs` : "",
    columns,
    rows: medians.map((one) =>
      row(
        one,
        drains.filter(({ client }) => client === one.client),
      ),
    ),
  };
  const ratios: ResultTable = {
    caption: "",
    columns: [
      { name: "ratio" },
      { name: "events/s, times", digits: 2 },
      { name: "CPU, times less", digits: 2 },
    ],
    rows: [
      ["adstream to kafkajs", rateRatio, cpuRatio],
      ...(scaling === undefined
        ? []
        : [[`${options.processors} processors to one`, scaling.rateRatio, scaling.cpuRatio]]),
    ],
  };
  const each: ResultTable = {
    caption: "Each run",
    columns,
    rows: drains.map((one) => row(one, [one])),
  };
  return {
    setting: `${events.toLocaleString("en")} events, ${ads} ads, ${partitions} partitions, codec ${codec}, ${servers}${held}`,
    tables: runs > 1 ? [compared, ratios, each] : [compared, ratios],
    raw: drains,
  };
}

function row(
  shown: Omit<Drain, "seconds" | "resultRecords" | "rows">,
  of: readonly Drain[],
): Cell[] {
  const rates = of.map(({ eventsPerSecond }) => eventsPerSecond);
  const sum = (count: (rows: Drain["rows"]) => number): number =>
    of.reduce((total, { rows }) => total + count(rows), 0);
  return [
    shown.client,
    shown.eventsPerSecond,
    Math.min(...rates),
    Math.max(...rates),
    shown.cpuSecondsPerMillion,
    shown.cpuSecondsPerMillionRunning,
    shown.peakRssMiB,
    sum(({ right }) => right),
    sum(({ wrong, missing, extra }) => wrong + missing + extra),
  ];
}
