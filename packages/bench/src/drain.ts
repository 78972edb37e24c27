import { fileURLToPath } from "node:url";
import type { Kafka } from "kafkajs";
import { closingAd, type Filled } from "./fill-topic.ts";
import { startMeasured } from "./measured-process.ts";
import { compareRows, type Verdict, type WindowSums } from "./oracle.ts";
import { readResults } from "./read-results.ts";
import { type ProcessorOptions, startProcessors } from "./running-processors.ts";

export type DrainClient = "adstream" | `adstream x ${number}` | "kafkajs";

/** What one client did with the backlog; several processors are one client, whose CPU and memory are added up. */
export type Drain = {
  readonly client: DrainClient;
  /** From when the first partition may be read to the last event applied, and for adstream also published. */
  readonly seconds: number;
  readonly eventsPerSecond: number;
  /** User and system time from exec to exit, per million events. */
  readonly cpuSecondsPerMillion: number;
  /** Without what was used before that. */
  readonly cpuSecondsPerMillionRunning: number;
  readonly peakRssMiB: number;
  /** Records that the client published. */
  readonly resultRecords: number;
  readonly rows: Verdict;
};

export type DrainOptions = ProcessorOptions &
  Pick<Filled, "expected" | "records"> & { readonly kafka: Kafka };

const stockProgram = fileURLToPath(import.meta.resolve("./stock-consumer.ts"));

/** How the client of so many processors is called. */
export function processorClient(processors: number): DrainClient {
  return processors === 1 ? "adstream" : `adstream x ${processors}`;
}

/** Processors of one group. */
export async function drainWithProcessors(
  options: DrainOptions,
  processors: number,
): Promise<Drain> {
  const { kafka, admin, records, expected } = options;
  await using running = await startProcessors(options, processors);
  await running.applied(records);
  const { cpuMs, cpuReadingMs, peakRssMiB } = await running.stop();
  const results = await readResults(kafka, admin, running.resultsTopic);
  return {
    client: processorClient(processors),
    ...rates(records, results.lastAt - running.begunAt(), cpuMs, cpuReadingMs),
    peakRssMiB,
    resultRecords: results.records,
    rows: compareRows(expected, results.rows),
  };
}

/** What keeps the processor's memory flat would slow down a client that makes an object of each event. */
const stockFlags = [
  "--min-semi-space-size=0",
  "--max-semi-space-size=0",
  "--heap-growing-percent=0",
  "--no-external-memory-accounted-in-global-limit",
  "--initial-old-space-size=96",
];

/** The consumer that everybody writes first. */
export async function drainWithStock(options: DrainOptions): Promise<Drain> {
  const { environment, topic, run, records, expected, under } = options;
  let joinedAt = 0;
  let drainedAt = 0;
  let cpuBeforeMs = 0;
  let rows: Iterable<[string, WindowSums]> = [];
  const child = startMeasured({
    program: stockProgram,
    nodeArguments: stockFlags,
    under,
    environment: { ...environment, EVENTS_TOPIC: topic, GROUP: run, RECORDS: String(records) },
    onMessage(message) {
      const news: { at: number; joined?: boolean; records?: number; rows?: typeof rows } = {
        at: 0,
        ...Object(message),
      };
      if (news.joined === true) {
        joinedAt = news.at;
        cpuBeforeMs = child.cpuSoFarMs();
      }
      if (news.records !== undefined) drainedAt = news.at;
      if (news.rows !== undefined) rows = news.rows;
    },
  });
  const { cpuMs, peakRssMiB } = await child.usage;
  const counted = new Map([...rows].filter(([key]) => !key.endsWith(`/${closingAd}`)));
  return {
    client: "kafkajs",
    ...rates(records, drainedAt - joinedAt, cpuMs, cpuMs - cpuBeforeMs),
    peakRssMiB,
    resultRecords: 0,
    rows: compareRows(expected, counted),
  };
}

function rates(
  records: number,
  elapsedMs: number,
  cpuMs: number,
  cpuRunningMs: number,
): Pick<
  Drain,
  "seconds" | "eventsPerSecond" | "cpuSecondsPerMillion" | "cpuSecondsPerMillionRunning"
> {
  return {
    seconds: elapsedMs / 1_000,
    eventsPerSecond: Math.round((records / elapsedMs) * 1_000),
    cpuSecondsPerMillion: (cpuMs * 1_000) / records,
    cpuSecondsPerMillionRunning: (cpuRunningMs * 1_000) / records,
  };
}
