import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Admin, Kafka } from "kafkajs";
import { closingAd, type Filled } from "./fill-topic.ts";
import { startMeasured } from "./measured-process.ts";
import { compareRows, type Verdict, type WindowSums } from "./oracle.ts";
import { readResults } from "./read-results.ts";

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

export type DrainOptions = Filled & {
  readonly kafka: Kafka;
  readonly admin: Admin;
  readonly environment: Readonly<Record<string, string>>;
  readonly topic: string;
  /** Tells the topics and groups of this drain from others. */
  readonly run: string;
  /** Arguments for the Node of the processor, like --cpu-prof. */
  readonly nodeArguments: readonly string[];
  /** What starts each process instead of us, if anything. */
  readonly under?: readonly string[] | undefined;
};

const root = new URL("../../../", import.meta.url);
const processorProgram = fileURLToPath(new URL("packages/processor/src/main.ts", root));
const stockProgram = fileURLToPath(import.meta.resolve("./stock-consumer.ts"));

/** What the oracle counts by, whatever the environment says. */
const oracleSettings = {
  START_AT: "earliest",
  WINDOW_SIZE: "1m",
  WINDOW_SLIDE: "30s",
  WATERMARK_DELAY: "10s",
  ALLOWED_LATENESS: "0s",
};

/** How the client of so many processors is called. */
export function processorClient(processors: number): DrainClient {
  return processors === 1 ? "adstream" : `adstream x ${processors}`;
}

/** Processors of one group that share their checkpoints, in a temporary folder, and results topics of their own. */
export async function drainWithProcessors(
  options: DrainOptions,
  processors: number,
): Promise<Drain> {
  const { kafka, admin, environment, topic, run, records, nodeArguments, under } = options;
  const topics = {
    RESULTS_TOPIC: `${run}-results`,
    DEAD_LETTER_TOPIC: `${run}-dead`,
    LATE_TOPIC: `${run}-late`,
  };
  await createOutputTopics(admin, Object.values(topics));
  const checkpoints = await mkdtemp(join(tmpdir(), "adstream-bench-"));
  const applied = new Map<number, number>();
  let begunAt = 0;
  let cpuBeforeMs = 0;
  const stopAll = (): void => children.forEach((child) => child.stop());
  const children = Array.from({ length: processors }, () =>
    startMeasured({
      program: processorProgram,
      nodeArguments,
      under,
      environment: {
        ...environment,
        ...oracleSettings,
        ...topics,
        EVENTS_TOPIC: topic,
        PROCESSOR_GROUP: run,
        CHECKPOINT_URL: `file:${checkpoints}`,
        HTTP_PORT: "0",
        LOG_LEVEL: "info",
      },
      onLine(line) {
        // As the peers have it: their start ends with the first record that they read.
        if (begunAt > 0 || !line.includes(`"task acquired"`)) return;
        begunAt = new Date(Reflect.get(Object(JSON.parse(line)), "time")).getTime();
        cpuBeforeMs = sum(children.map((child) => child.cpuSoFarMs()));
      },
      onMessage(message) {
        noteApplied(applied, message);
        if (sum([...applied.values()]) >= records) stopAll();
      },
    }),
  );
  try {
    const usages = await Promise.all(children.map(({ usage }) => usage));
    const cpuMs = sum(usages.map((usage) => usage.cpuMs));
    const results = await readResults(kafka, admin, topics.RESULTS_TOPIC);
    return {
      client: processorClient(processors),
      ...rates(records, results.lastAt - begunAt, cpuMs, cpuMs - cpuBeforeMs),
      peakRssMiB: sum(usages.map(({ peakRssMiB }) => peakRssMiB)),
      resultRecords: results.records,
      rows: compareRows(options.expected, results.rows),
    };
  } finally {
    stopAll();
    await rm(checkpoints, { recursive: true });
    await admin.deleteTopics({ topics: Object.values(topics) });
  }
}

/** What keeps the processor's memory flat would slow down a client that makes an object of each event. */
const stockFlags = [
  "--min-semi-space-size=0",
  "--max-semi-space-size=0",
  "--heap-growing-percent=0",
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

/** The log's own clock says when a result was there. */
async function createOutputTopics(admin: Admin, topics: readonly string[]): Promise<void> {
  const configEntries = [{ name: "message.timestamp.type", value: "LogAppendTime" }];
  await admin.createTopics({
    waitForLeaders: true,
    topics: topics.map((topic) => ({ topic, numPartitions: 4, configEntries })),
  });
}

/** Notes how many records of each partition were applied since the beginning of the log, as a status says each second. */
function noteApplied(applied: Map<number, number>, status: unknown): void {
  const tasks: unknown = Reflect.get(Object(status), "tasks");
  if (!Array.isArray(tasks)) return;
  for (const task of tasks.map(Object)) {
    const partition = Number(Reflect.get(task, "partition"));
    const before = applied.get(partition) ?? 0;
    // Of a partition that moved two processors may speak.
    applied.set(partition, Math.max(before, Number(Reflect.get(task, "in"))));
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
