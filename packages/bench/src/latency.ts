import { randomBytes } from "node:crypto";
import { latencyOptions } from "./latency-options.ts";
import { type LatencyRun, runLatency } from "./latency-run.ts";
import type { ServiceCost } from "./services-under-load.ts";
import { isRight } from "./oracle.ts";
import type { ResultLatency, Spread } from "./result-latency.ts";
import { type Bench, type ResultTable, tableText } from "./results.ts";
import { openServers } from "./servers.ts";
import { openTopics, stockClient } from "./topics.ts";

/**
 * Puts a steady load on a processor and a sink, and measures from outside how long results take.
 * @returns the exit code: 1 when a result is wrong
 */
export async function latency(args: readonly string[], bench: Bench): Promise<number> {
  const options = latencyOptions(args);
  await using servers = await openServers({ mongo: !options.kafkaOnly });
  const kafka = stockClient(servers.brokers);
  const name = `bench-${randomBytes(4).toString("hex")}`;
  await using topics = await openTopics(servers, name, options.partitions);
  const run = await runLatency(options, {
    ...servers,
    kafka,
    admin: topics.admin,
    name,
    topics: topics.names,
    schemaId: topics.schemaId,
  });
  const { model, rate, durationMs } = options;
  const seconds = durationMs / 1_000;
  const emission = options.onlyFinal ? "final only" : `early each ${options.emitInterval ?? "1s"}`;
  const setting = `${rate} events/s (${model}) for ${seconds} s, windows of 10 s, ${emission}, ${options.codec}, ${servers.description}`;
  const figures = { setting, tables: tables(run), raw: run };
  if (isRight(run.rows)) bench.save(figures);
  const { cores, cpu, load } = bench.from.machine;
  const text = [
    setting,
    `${cores} cores of ${cpu}, load ${load}`,
    ...figures.tables.map(tableText),
  ];
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ ...bench.from, ...figures }, null, 1)}\n`
      : `${text.join("\n\n")}\n`,
  );
  return isRight(run.rows) ? 0 : 1;
}

function tables(run: LatencyRun): ResultTable[] {
  const digits = 1;
  const spreads = ["samples", "mean", "p50", "p90", "p99", "max"];
  const services = [["processor", run.processor] as const, ["sink", run.sink] as const];
  const { right, wrong, missing, extra } = run.rows;
  return [
    {
      caption: "milliseconds, from when the event was due",
      columns: [{ name: "" }, ...spreads.map((name) => ({ name, digits }))],
      rows: [
        ...latencyRows("Kafka", run.kafka),
        ...(run.mongo === undefined ? [] : latencyRows("MongoDB", run.mongo)),
        ...(run.mongo === undefined
          ? []
          : [spreadRow("reader of MongoDB", run.mongo.resolutionMs)]),
      ],
    },
    {
      caption: "",
      columns: [
        { name: "service" },
        { name: "CPU s/min under load", digits },
        { name: "CPU s", digits },
        { name: "peak RSS MiB" },
      ],
      rows: services.flatMap(([service, used]) =>
        used === undefined ? [] : [costRow(service, used)],
      ),
    },
    {
      caption: "",
      columns: ["events sent", "results", "right", "wrong", "uncounted", "sent late by p99 ms"].map(
        (name) => ({ name }),
      ),
      rows: [
        [
          run.load.sent,
          run.resultRecords,
          right,
          wrong + missing + extra,
          run.kafka.uncounted,
          run.load.sendDelayMs.p99,
        ],
      ],
    },
  ];
}

function latencyRows(where: string, latencies: ResultLatency): (string | number)[][] {
  return [
    spreadRow(`${where}: closing event → final`, latencies.closedToFinal),
    spreadRow(`${where}: last event → final`, latencies.lastEventToFinal),
    spreadRow(`${where}: event → first result`, latencies.eventToFirst),
  ];
}

function spreadRow(name: string, { count, mean, p50, p90, p99, max }: Spread): (string | number)[] {
  return [name, count, mean, p50, p90, p99, max];
}

function costRow(service: string, used: ServiceCost): (string | number)[] {
  return [service, used.cpuSecondsPerMinute, used.cpuSeconds, used.peakRssMiB];
}
