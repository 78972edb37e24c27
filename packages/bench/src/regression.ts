import { parseArgs } from "node:util";
import type { Drain } from "./drain.ts";
import { type Bench, type Figures, figuresText } from "./results.ts";
import { median } from "./table.ts";
import { allRight, measureThroughput, type Report } from "./throughput.ts";
import { throughputOptions } from "./throughput-options.ts";

export const regressionUsage = "pnpm bench regression [--json]";

/**
 * The ratios to the stock consumer below which a change made the processor slow. Measured with these few events: CPU 4.3
 * to 5.8, rate 3.4 to 10 with three times as much work as cores. Other work falls on both clients of a pair, but less
 * evenly on rates, which are measured by the wall clock.
 */
export const leastRatios = { cpu: 3.5, rate: 2.5 } as const;

/** Enough for the compiler to warm up, few enough for every change. */
const small = ["--events", "2000000", "--runs", "3"];

export type Ratios = { readonly cpu: number; readonly rate: number };

/**
 * Compares the processor with the stock consumer on the same machine in the same minute, so that the machine cancels out.
 * @returns the exit code: 1 when the processor is too slow, or a result wrong
 */
export async function regression(args: readonly string[], bench: Bench): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { json: { type: "boolean", default: false } },
  });
  const report = await measureThroughput(throughputOptions(small), bench.from);
  const found = ratios(report.drains);
  const complaints = [
    ...shortcomings(found),
    ...(allRight(report) ? [] : ["results are wrong: see the runs"]),
  ];
  const figures = figuresOf(report, found);
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ ...bench.from, ...found, leastRatios, complaints, drains: report.drains }, null, 2)}\n`
      : figuresText(bench.from, figures),
  );
  for (const complaint of complaints) process.stderr.write(`bench: ${complaint}\n`);
  if (complaints.length > 0) return 1;
  bench.save(figures);
  return 0;
}

/** Medians over the runs of what the stock consumer did right after the processor. Its CPU is taken without its start. */
export function ratios(drains: readonly Drain[]): Ratios {
  const of = (client: Drain["client"]): Drain[] => drains.filter((one) => one.client === client);
  const theirs = of("kafkajs");
  const pairs = of("adstream").flatMap((ours, run) => {
    const their = theirs[run];
    return their === undefined ? [] : [{ ours, their }];
  });
  return {
    cpu: median(
      pairs.map(
        ({ ours, their }) => their.cpuSecondsPerMillionRunning / ours.cpuSecondsPerMillionRunning,
      ),
    ),
    rate: median(pairs.map(({ ours, their }) => ours.eventsPerSecond / their.eventsPerSecond)),
  };
}

/** What is below its bound. */
export function shortcomings(found: Ratios): string[] {
  const meanings = {
    cpu: "CPU seconds of the stock consumer to those of the processor",
    rate: "events per second of the processor to those of the stock consumer",
  };
  return (["cpu", "rate"] as const)
    .filter((name) => !(found[name] >= leastRatios[name]))
    .map((name) => `${meanings[name]}: ${found[name].toFixed(2)}, below ${leastRatios[name]}`);
}

function figuresOf({ drains, servers }: Report, { cpu, rate }: Ratios): Figures {
  return {
    setting: `2,000,000 events, three runs of each client in turns, ${servers}`,
    tables: [
      {
        caption: "",
        columns: [
          { name: "adstream to kafkajs, median" },
          { name: "times", digits: 2 },
          { name: "at least", digits: 1 },
        ],
        rows: [
          ["less CPU, without start", cpu, leastRatios.cpu],
          ["events/s", rate, leastRatios.rate],
        ],
      },
    ],
    raw: drains,
  };
}
