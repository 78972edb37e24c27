import { cellText, markdownTable, type Result } from "./results.ts";

const comparisons = [
  "compare-5m",
  "compare",
  "compare-latency",
  "compare-latency-40k",
  "compare-updates",
];

/** The figures that a reader of the README wants; what was not saved is left out. */
export function readmeFigures(results: ReadonlyMap<string, Result>): string {
  const compared = comparisons.flatMap((name) => results.get(name) ?? []);
  const rows = picks.flatMap(({ what, from, row, figure }) => {
    const result = results.get(from);
    if (result === undefined) return [];
    return [[what, figure((column) => pick(result, row, column)), `\`${result.command}\``]];
  });
  const columns = ["what", "figure", "command"].map((name) => ({ name }));
  return [
    ...compared.flatMap(({ setting, tables }) => [`${setting}:`, ...tables.map(markdownTable)]),
    ...(rows.length === 0 ? [] : [markdownTable({ caption: "", columns, rows })]),
  ].join("\n\n");
}

type Pick = {
  readonly what: string;
  /** Name of a saved result. */
  readonly from: string;
  /** First cell of a row in one of its tables. */
  readonly row: string;
  /** Text around the cells of that row, by the name of their column. */
  readonly figure: (cell: (column: string) => string) => string;
};

function percentiles(cell: (column: string) => string): string {
  return `p50 ${cell("p50")} ms, p99 ${cell("p99")} ms`;
}

const picks: readonly Pick[] = [
  {
    what: "events per second, results written",
    from: "throughput",
    row: "adstream",
    figure: (cell) => `${cell("events/s")} (${cell("lowest")} – ${cell("highest")})`,
  },
  {
    what: "CPU seconds per million events, start included",
    from: "throughput",
    row: "adstream",
    figure: (cell) => cell("CPU s/M"),
  },
  {
    what: "events per second of a topic packed with lz4",
    from: "throughput-lz4",
    row: "adstream",
    figure: (cell) => cell("events/s"),
  },
  {
    what: "two processors against one, each held to half a core",
    from: "throughput-half-cores",
    row: "2 processors to one",
    figure: (cell) => `${cell("events/s, times")} x the events per second`,
  },
  {
    what: "from the event that closes a window to its final result in Kafka",
    from: "latency",
    row: "Kafka: closing event → final",
    figure: percentiles,
  },
  {
    what: "from an event to the first result that counts it, with results each 10 ms",
    from: "latency-10ms",
    row: "Kafka: event → first result",
    figure: percentiles,
  },
  {
    what: "from an event to the first document in MongoDB that counts it",
    from: "latency",
    row: "MongoDB: event → first result",
    figure: percentiles,
  },
  {
    what: "CPU seconds per million events of the whole processor, with a million ads and before any result",
    from: "scale",
    row: "1000000",
    figure: (cell) =>
      `${cell("CPU s/M, whole")}, ${cell("to the fewest")} x that with a thousand; at most ${cell("peak RSS MiB")} MiB`,
  },
  {
    what: "CPU seconds per million events of applying them alone, with a million ads",
    from: "scale",
    row: "1000000",
    figure: (cell) =>
      `${cell("CPU s/M")}, ${cell("ratio")} x that with a thousand; ${cell("bytes/(ad, pane)")} bytes for each ad and 30 s`,
  },
  {
    what: "longest pause for a checkpoint of 1,000,000 (ad, pane) states",
    from: "scale",
    row: "500000",
    figure: (cell) => `${cell("max")} ms, p50 ${cell("pause p50 ms")} ms`,
  },
  {
    what: "changed results a second into Kafka, of 250,000 events/s, without a sink beside",
    from: "emission-apart",
    row: "published by the processor",
    figure: (cell) => `${cell("a second")}, in ${cell("peak RSS MiB")} MiB`,
  },
  {
    what: "and what a sink then brings to MongoDB of them a second, of each slot the newest of those that wait",
    from: "emission-apart",
    row: "brought to MongoDB by the sink",
    figure: (cell) => `${cell("a second")}, in ${cell("peak RSS MiB")} MiB`,
  },
  {
    what: "changed results a second into Kafka, with the sink and all servers on the same two cores",
    from: "emission",
    row: "published by the processor",
    figure: (cell) => `${cell("a second")}, in ${cell("peak RSS MiB")} MiB`,
  },
  {
    what: "from a processor's SIGKILL to the first new result of its partitions",
    from: "recovery",
    row: "to its first new result",
    figure: (cell) => `p50 ${cell("p50")} s, p95 ${cell("p95")} s, longest ${cell("max")} s`,
  },
  {
    what: "a producer's worst 10 s against its schedule in bursts (MMPP), 150,000 events/s",
    from: "producer-150k",
    row: "mmpp",
    figure: (cell) => `off by ${cell("worst 10 s off by %")} %`,
  },
  {
    what: "pause of a checkpoint",
    from: "checkpoint",
    row: "pause for the snapshot",
    figure: (cell) => `median ${cell("median")} ms, p99 ${cell("p99")} ms`,
  },
  {
    what: "restore of a checkpoint",
    from: "checkpoint",
    row: "restore",
    figure: (cell) => `median ${cell("median")} ms`,
  },
];

/** @throws {Error} when the result has no such cell: it was saved by another version of its subcommand */
function pick({ name, tables }: Result, row: string, column: string): string {
  for (const { columns, rows } of tables) {
    const found = rows.find(([first]) => String(first) === row);
    const at = columns.findIndex((one) => one.name === column);
    if (found !== undefined && at >= 0)
      return cellText(found[at] ?? null, columns[at]?.digits ?? 0);
  }
  throw new Error(`result ${name} has no ${column} of ${row}: save it again`);
}
