import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Admin, Kafka } from "kafkajs";
import { closingAd, type Filled } from "./fill-topic.ts";
import { startMeasured } from "./measured-process.ts";
import { compareRows, type Verdict, type WindowSums } from "./oracle.ts";
import { readResults } from "./read-results.ts";

/** What one client did with the backlog. */
export type Drain = {
  readonly client: "adstream" | "kafkajs";
  /** From the assignment of partitions to the last event applied, and for adstream also published. */
  readonly seconds: number;
  readonly eventsPerSecond: number;
  /** User and system time from exec to exit, per million events. */
  readonly cpuSecondsPerMillion: number;
  /** Without what was used before the assignment. */
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

/** One processor, with its checkpoints in a temporary folder and results topics of its own. */
export async function drainWithProcessor(options: DrainOptions): Promise<Drain> {
  const { kafka, admin, environment, topic, run, records, nodeArguments } = options;
  const topics = {
    RESULTS_TOPIC: `${run}-results`,
    DEAD_LETTER_TOPIC: `${run}-dead`,
    LATE_TOPIC: `${run}-late`,
  };
  await createOutputTopics(admin, Object.values(topics));
  const checkpoints = await mkdtemp(join(tmpdir(), "adstream-bench-"));
  let assignedAt = 0;
  let cpuBeforeMs = 0;
  let done = false;
  const child = startMeasured({
    program: processorProgram,
    nodeArguments,
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
      if (!line.includes(`"partitions assigned"`)) return;
      assignedAt = new Date(Reflect.get(Object(JSON.parse(line)), "time")).getTime();
      cpuBeforeMs = child.cpuSoFarMs();
    },
    onMessage(message) {
      if (done || recordsIn(message) < records) return;
      done = true;
      child.stop();
    },
  });
  try {
    const { cpuMs, peakRssMiB } = await child.usage;
    const results = await readResults(kafka, admin, topics.RESULTS_TOPIC);
    return {
      client: "adstream",
      ...rates(records, results.lastAt - assignedAt, cpuMs, cpuMs - cpuBeforeMs),
      peakRssMiB,
      resultRecords: results.records,
      rows: compareRows(options.expected, results.rows),
    };
  } finally {
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
  const { environment, topic, run, records, expected } = options;
  let joinedAt = 0;
  let drainedAt = 0;
  let cpuBeforeMs = 0;
  let rows: Iterable<[string, WindowSums]> = [];
  const child = startMeasured({
    program: stockProgram,
    nodeArguments: stockFlags,
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

/** Records that the processor has applied, as its status says each second. */
function recordsIn(message: unknown): number {
  const tasks: unknown = Reflect.get(Object(message), "tasks");
  if (!Array.isArray(tasks)) return 0;
  return tasks.reduce((sum: number, task) => sum + Number(Reflect.get(Object(task), "in")), 0);
}
