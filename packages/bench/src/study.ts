import { writeFileSync } from "node:fs";
import { isRight } from "./oracle.ts";
import { type Spread, spread } from "./result-latency.ts";
import { type Bench, type Cell, type Figures, figuresText, type ResultTable } from "./results.ts";
import { openServers } from "./servers.ts";
import { histogram, histogramSvg, histogramText } from "./study-histogram.ts";
import { type StudyOptions, studyOptions } from "./study-options.ts";
import { runStudy, type StudyRun } from "./study-run.ts";
import { stockClient } from "./topics.ts";

/**
 * The latency study: producers that send interactions by a model of arrivals, a processor that counts them per campaign,
 * and an independent reader of both topics.
 * @returns the exit code: 1 when an event is lost or a count is wrong, or when it was stopped
 */
export async function study(args: readonly string[], bench: Bench): Promise<number> {
  const options = studyOptions(args);
  await using servers = await openServers();
  const { brokers, description } = servers;
  const kafka = stockClient(brokers);
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  // A second one ends at once, and leaves behind what there is.
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, stop);
  const { signal } = stopping;
  const runs: StudyRun[] = [];
  try {
    for (const model of options.models) {
      process.stderr.write(`${model}: ${options.durationMs / 1_000} s\n`);
      const run = await runStudy(model, options, { servers, kafka, signal });
      process.stderr.write(`${progress(run)}\n`);
      runs.push(run);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    process.stderr.write("stopped; the topics are removed\n");
    return 1;
  }
  const figures = { setting: setting(options, description), tables: tables(runs), raw: runs };
  const sound = runs.every(soundRun);
  if (sound) bench.save(figures);
  if (options.svg !== undefined) writeFileSync(options.svg, histogramSvg(charts(runs)));
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ ...bench.from, ...figures }, null, 1)}\n`
      : text(bench, figures, runs),
  );
  return sound ? 0 : 1;
}

/** What is known of a model while the others are still running. */
function progress(run: StudyRun): string {
  const { mean, p99, count } = windowSpread(run, "lastResultMs");
  const latency = `mean ${Math.round(mean)} ms, p99 ${p99} ms over ${count} windows`;
  return `${run.model}: ${latency}; ${lostOf(run)} of ${run.acknowledged} events lost, ${run.late} late`;
}

/** In no result, and in none of the topics for what is set aside. */
function lostOf({ acknowledged, counted, late, deadLetters }: StudyRun): number {
  return acknowledged - counted - late - deadLetters;
}

function soundRun({ rows, acknowledged, inLog, counted }: StudyRun): boolean {
  return isRight(rows) && acknowledged === inLog && inLog === counted;
}

function setting(options: StudyOptions, servers: string): string {
  const { producers, rate, durationMs, format, delayMs, onlyFinal, emitInterval } = options;
  const emission = onlyFinal ? "final results only" : `early results each ${emitInterval ?? "1s"}`;
  return `${producers} producers of ${rate} events/s each for ${durationMs / 1_000} s, ${format}, windows of 10 s closed ${delayMs} ms after their end, ${emission}, ${servers}`;
}

const spreads = ["mean", "p50", "p90", "p99", "max"];

function tables(runs: readonly StudyRun[]): ResultTable[] {
  return [
    {
      caption: "ms from the last event sent to the last result, of the windows that events closed",
      columns: [{ name: "model" }, { name: "windows" }, ...spreads.map((name) => ({ name }))],
      rows: runs.flatMap((run) => [
        spreadRow(run.model, windowSpread(run, "lastResultMs")),
        spreadRow(`${run.model}, per campaign`, spread(run.cellsMs)),
        spreadRow(`${run.model}, all counted`, windowSpread(run, "completeMs")),
        spreadRow(`${run.model}, sent late by`, run.sentLate),
      ]),
    },
    {
      caption: "",
      columns: ["model", "acknowledged", "in the log", "counted", "lost", "late", "dead letters"]
        .concat(["counts right", "wrong", "results"])
        .map((name) => ({ name })),
      rows: runs.map((run) => {
        const { acknowledged, inLog, counted, late, deadLetters, rows, resultRecords } = run;
        const wrong = rows.wrong + rows.missing + rows.extra;
        return [run.model, acknowledged, inLog, counted, lostOf(run), late, deadLetters].concat([
          rows.right,
          wrong,
          resultRecords,
        ]);
      }),
    },
    ...runs.map(windowTable),
  ];
}

function windowTable({ model, windows }: StudyRun): ResultTable {
  return {
    caption: `${model}, window by window; ms`,
    columns: ["window", "events", "closed by", "all counted", "last result"].map((name) => ({
      name,
    })),
    rows: windows.map(({ startMs, events, closedBy, completeMs, lastResultMs }): Cell[] => [
      new Date(startMs).toISOString().slice(11, 19),
      events,
      closedBy,
      completeMs ?? null,
      lastResultMs ?? null,
    ]),
  };
}

function windowSpread({ windows }: StudyRun, field: "lastResultMs" | "completeMs"): Spread {
  const closed = windows.filter(({ closedBy }) => closedBy === "events");
  return spread(closed.flatMap((window) => window[field] ?? []));
}

function spreadRow(name: string, { count, mean, p50, p90, p99, max }: Spread): Cell[] {
  return [name, count, mean, p50, p90, p99, max];
}

function charts(runs: readonly StudyRun[]): Parameters<typeof histogramSvg>[0] {
  return runs.map(({ model, cellsMs }) => ({
    title: `${model}: ms from the last event sent to the last result, per window and campaign`,
    histogram: histogram(cellsMs),
  }));
}

function text(bench: Bench, figures: Figures, runs: readonly StudyRun[]): string {
  const drawn = charts(runs).map((one) => `\n${one.title}\n${histogramText(one.histogram)}\n`);
  return figuresText(bench.from, figures) + drawn.join("");
}
