import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { startCommand } from "@adstream/devstack/start-command";
import { isRight, type Verdict } from "./oracle.ts";
import { type Bench, type Figures, figuresText, type ResultTable } from "./results.ts";
import { measureProcessor, type ProcessorRun } from "./scale-processor.ts";
import type { ScaleSpec } from "./scale-process.ts";
import type { StatesFigures } from "./scale-states.ts";
import type { TurnoverFigures } from "./scale-turnover.ts";
import { median, percentile } from "./table.ts";
import { count } from "./option-values.ts";

type StatesRun = { readonly ads: number; readonly changed: number } & StatesFigures;
type Report = {
  readonly states: readonly StatesRun[];
  readonly turnover: TurnoverFigures;
  readonly processor: readonly ProcessorRun[];
};

export const scaleUsage = `pnpm bench scale [--ads 1000,100000,500000,1000000] [--events-per-ad 8] [--events 4000000] [--checkpoints 40]
  [--new-ads 12000000] [--processor-events 8000000] [--processor-runs 5] [--json]`;

const run = promisify(execFile);
const program = fileURLToPath(import.meta.resolve("./scale-process.ts"));
/** As `pnpm processor` starts Node. */
const flags = ["--expose-gc", ...(startCommand("packages/processor/src/main.ts")?.flags ?? [])];
const turnoverPanes = 40;

/**
 * Measures one task with few and with many ads, each in a process of its own, and the whole processor with as many.
 * @returns the exit code: 1 for a wrong row
 */
export async function scale(args: readonly string[], bench: Bench): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ads: { type: "string", default: "1000,100000,500000,1000000" },
      "events-per-ad": { type: "string", default: "8" },
      events: { type: "string", default: "4000000" },
      checkpoints: { type: "string", default: "40" },
      "new-ads": { type: "string", default: "12000000" },
      "processor-events": { type: "string", default: "8000000" },
      "processor-runs": { type: "string", default: "5" },
      json: { type: "boolean", default: false },
    },
  });
  const states: StatesRun[] = [];
  const numbers = values.ads.split(",").map((text) => count("ads", text));
  for (const ads of numbers) {
    const least = count("events", values.events);
    const events = Math.max(least, ads * count("events-per-ad", values["events-per-ad"]));
    const changed = Math.max(1, Math.floor(ads / 50));
    const checkpoints = count("checkpoints", values.checkpoints);
    const measured = await inProcess<StatesFigures>({
      states: { ads, events, changed, checkpoints },
    });
    states.push({ ads, changed, ...measured });
  }
  const adsPerPane = Math.ceil(count("new-ads", values["new-ads"]) / turnoverPanes);
  const turnover = await inProcess<TurnoverFigures>({
    turnover: { adsPerPane, panes: turnoverPanes },
  });
  const processor = await measureProcessor({
    ads: numbers,
    events: count("processor-events", values["processor-events"]),
    runs: count("processor-runs", values["processor-runs"]),
  });
  const report = { states, turnover, processor };
  const figures = scaleFigures(report);
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ ...bench.from, ...report }, null, 2)}\n`
      : figuresText(bench.from, figures),
  );
  if (![...states, turnover, ...processor].every(({ rows }) => isRight(rows))) return 1;
  bench.save(figures);
  return 0;
}

async function inProcess<T>(spec: ScaleSpec): Promise<T> {
  const { stdout } = await run(process.execPath, [...flags, program, JSON.stringify(spec)]);
  return JSON.parse(stdout);
}

const mib = 2 ** 20;

function scaleFigures(report: Report): Figures {
  const { states, turnover, processor } = report;
  const base = states[0]?.cpuSecondsPerMillion ?? Number.NaN;
  return {
    setting:
      "one task, every ad in two open panes; then ads that come once; then a whole processor on Kafka, all events in one open window",
    tables: [
      {
        caption: "cost and memory",
        columns: [
          { name: "ads" },
          { name: "(ad, pane)" },
          { name: "CPU s/M", digits: 3 },
          { name: "ratio", digits: 2 },
          { name: "longest batch ms" },
          { name: "bytes/(ad, pane)" },
          { name: "peak", digits: 0 },
          { name: "wrong rows" },
        ],
        rows: states.map((one) => [
          one.ads,
          one.states,
          one.cpuSecondsPerMillion,
          one.cpuSecondsPerMillion / base,
          one.longestBatchMs,
          one.rssBytes / one.states,
          one.peakRssBytes / one.states,
          wrongRows(one),
        ]),
      },
      {
        caption: "checkpoints, one ad in fifty changed between two",
        columns: [
          { name: "ads" },
          { name: "pause p50 ms", digits: 1 },
          { name: "p99", digits: 1 },
          { name: "max", digits: 1 },
          { name: "max CPU ms", digits: 1 },
          { name: "whole MiB", digits: 2 },
          { name: "delta MiB", digits: 3 },
          { name: "bytes/changed", digits: 1 },
          { name: "mean MiB", digits: 2 },
          { name: "restore ms" },
        ],
        rows: states.map(checkpointRow),
      },
      turnoverTable(turnover),
      processorTable(processor),
    ],
    raw: report,
  };
}

function turnoverTable(turnover: TurnoverFigures): ResultTable {
  const third = Math.floor(turnover.rssBytes.length / 3);
  return {
    caption: "ads that come once",
    columns: [
      { name: "ads" },
      { name: "most live" },
      { name: "most keys" },
      { name: "RSS MiB, 1st third" },
      { name: "last third" },
      { name: "wrong rows" },
    ],
    rows: [
      [
        turnover.ads,
        turnover.mostLive,
        turnover.mostKeys,
        Math.max(...turnover.rssBytes.slice(0, third)) / mib,
        Math.max(...turnover.rssBytes.slice(-third)) / mib,
        wrongRows(turnover),
      ],
    ],
  };
}

/** Medians of the runs with so many ads. */
function processorTable(runs: readonly ProcessorRun[]): ResultTable {
  const medians = [...Map.groupBy(runs, ({ ads }) => ads)].map(([ads, own]) => ({
    ads,
    cost: median(own.map(({ cpuSecondsPerMillion }) => cpuSecondsPerMillion)),
    peakRssMiB: median(own.map(({ peakRssMiB }) => peakRssMiB)),
    wrong: own.reduce((sum, one) => sum + wrongRows(one), 0),
  }));
  const base = medians[0]?.cost ?? Number.NaN;
  return {
    caption: `the whole processor, medians of ${runs.length / medians.length}`,
    columns: [
      { name: "ads of a processor" },
      { name: "CPU s/M, whole", digits: 3 },
      { name: "to the fewest", digits: 2 },
      { name: "peak RSS MiB" },
      { name: "wrong rows" },
    ],
    rows: medians.map(({ ads, cost, peakRssMiB, wrong }) => [
      ads,
      cost,
      cost / base,
      peakRssMiB,
      wrong,
    ]),
  };
}

function checkpointRow({ ads, changed, checkpoints, restoreMs }: StatesRun): (number | null)[] {
  const pauses = checkpoints.map(({ pauseMs }) => pauseMs);
  const deltas = checkpoints.filter(({ whole }) => !whole).map(({ bytes }) => bytes);
  const delta = deltas.length === 0 ? null : percentile(deltas, 50);
  const total = checkpoints.reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    ads,
    percentile(pauses, 50),
    percentile(pauses, 99),
    Math.max(...pauses),
    Math.max(...checkpoints.map(({ pauseCpuMs }) => pauseCpuMs)),
    Math.max(...checkpoints.map(({ bytes }) => bytes)) / mib,
    delta === null ? null : delta / mib,
    delta === null ? null : delta / changed,
    total / checkpoints.length / mib,
    restoreMs,
  ];
}

function wrongRows({ rows: { wrong, missing, extra } }: { readonly rows: Verdict }): number {
  return wrong + missing + extra;
}
