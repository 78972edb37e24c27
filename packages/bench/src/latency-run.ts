import { fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Admin, Kafka } from "kafkajs";
import { watchDocuments, type Watched } from "./document-watch.ts";
import { adPartitions } from "./fill-topic.ts";
import type { LatencyOptions } from "./latency-options.ts";
import type { LoadNews, LoadOptions, LoadReport } from "./load-generator.ts";
import { type MeasuredProcess, startMeasured } from "./measured-process.ts";
import { compareRows, type Verdict } from "./oracle.ts";
import { type ResultRecord, readResultRecords, readResults } from "./read-results.ts";
import { type ResultLatency, resultLatency, type Spread } from "./result-latency.ts";
import { latencyWindow, type WindowTimes, windowTimes } from "./window-times.ts";

/** A service under the load. */
export type ServiceCost = {
  /** User and system time while measured windows were filled, by the minute. */
  readonly cpuSecondsPerMinute: number;
  /** From exec to exit. */
  readonly cpuSeconds: number;
  readonly peakRssMiB: number;
};

export type LatencyRun = {
  readonly kafka: ResultLatency;
  readonly mongo: (ResultLatency & { readonly resolutionMs: Spread }) | undefined;
  readonly processor: ServiceCost;
  readonly sink: ServiceCost | undefined;
  readonly load: LoadReport;
  readonly resultRecords: number;
  readonly rows: Verdict;
};

export type RunContext = {
  readonly kafka: Kafka;
  readonly admin: Admin;
  readonly environment: Readonly<Record<string, string>>;
  readonly brokers: readonly string[];
  readonly mongoUrl: string;
  /** Tells topics, groups and collections of this run from others. */
  readonly name: string;
  readonly topics: Readonly<Record<"EVENTS_TOPIC" | "RESULTS_TOPIC", string>> &
    Readonly<Record<string, string>>;
  readonly schemaId: number;
};

const program = (service: string): string =>
  fileURLToPath(new URL(`../../../packages/${service}/src/main.ts`, import.meta.url));
const loadProgram = fileURLToPath(import.meta.resolve("./load-generator.ts"));
const lingerMs = 5;
const pollMs = 5;
/** Behind the end of every window, as the log sees it. */
const closingMs = latencyWindow.sizeMs + latencyWindow.delayMs;
const readyPatienceMs = 30_000;
/** From the last event to the end of the services: what they still have to say. */
const tailMs = 4_000;
const minuteMs = 60_000;

/** One load on one processor and, unless told otherwise, one sink. */
export async function runLatency(
  options: LatencyOptions,
  context: RunContext,
): Promise<LatencyRun> {
  const { kafka, admin, name, topics } = context;
  const checkpoints = await mkdtemp(join(tmpdir(), "adstream-bench-"));
  try {
    const processor = startService("processor", options, context, checkpoints);
    const sink = options.kafkaOnly
      ? undefined
      : startService("sink", options, context, checkpoints);
    await Promise.all([processor.assigned, sink?.assigned]);
    const watching = new AbortController();
    const watched = options.kafkaOnly ? undefined : watch(options, context, watching.signal);
    const { startMs, report } = startLoad(options, context);
    const loadStartMs = await startMs;
    await until(loadStartMs + latencyWindow.sizeMs);
    const before = [processor.child.cpuSoFarMs(), sink?.child.cpuSoFarMs() ?? 0];
    await until(loadStartMs + options.durationMs);
    const after = [processor.child.cpuSoFarMs(), sink?.child.cpuSoFarMs() ?? 0];
    const load = await report;
    await until(Date.now() + tailMs);
    watching.abort();
    const seen = await watched;
    const costs = await Promise.all(
      [processor, sink].map(async (service, at) =>
        service === undefined
          ? undefined
          : cost(service.child, (after[at] ?? 0) - (before[at] ?? 0), options),
      ),
    );
    const partitionOf = adPartitions({ ...options, topic: topics.EVENTS_TOPIC });
    const times = windowTimes({ ...options, startMs: loadStartMs }, partitionOf);
    if (times.events !== load.sent) throw new Error(`${load.sent} events of ${times.events} sent`);
    const results = await readResults(kafka, admin, topics.RESULTS_TOPIC);
    const records = await readResultRecords(kafka, admin, topics.RESULTS_TOPIC);
    const [processorCost, sinkCost] = costs;
    if (processorCost === undefined) throw new Error(`${name} has no processor`);
    return {
      kafka: resultLatency(times, records),
      mongo: seen && documentLatency(times, seen),
      processor: processorCost,
      sink: sinkCost,
      load,
      resultRecords: results.records,
      rows: compareRows(times.expected, results.rows),
    };
  } finally {
    await rm(checkpoints, { recursive: true });
  }
}

/** Of the ads that were watched. */
function documentLatency(
  times: WindowTimes,
  { states, resolutionMs }: Watched,
): LatencyRun["mongo"] {
  const dueMs = new Map([...times.dueMs].filter(([key]) => states.has(key)));
  const found: ReadonlyMap<string, readonly ResultRecord[]> = states;
  return { ...resultLatency({ ...times, dueMs }, found), resolutionMs };
}

type Service = { readonly child: MeasuredProcess; readonly assigned: Promise<void> };

function startService(
  service: "processor" | "sink",
  options: LatencyOptions,
  { environment, mongoUrl, name, topics }: RunContext,
  checkpoints: string,
): Service {
  const assigned = Promise.withResolvers<void>();
  const { emitInterval, onlyFinal, profile } = options;
  const child = startMeasured({
    program: program(service),
    nodeArguments:
      profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${join(profile, service)}`],
    environment: {
      ...environment,
      ...topics,
      MONGODB_URL: mongoUrl,
      MONGODB_DATABASE: name,
      PROCESSOR_GROUP: name,
      SINK_GROUP: `${name}-sink`,
      WINDOW_SIZE: `${latencyWindow.sizeMs}ms`,
      WINDOW_SLIDE: `${latencyWindow.sizeMs}ms`,
      WATERMARK_DELAY: `${latencyWindow.delayMs}ms`,
      ALLOWED_LATENESS: "0s",
      ...(emitInterval === undefined ? {} : { EMIT_INTERVAL: emitInterval }),
      ...(onlyFinal ? { EMIT: "final" } : {}),
      CHECKPOINT_URL: `file:${checkpoints}`,
      HTTP_PORT: "0",
      LOG_LEVEL: "info",
    },
    onLine(line) {
      if (line.includes(`"partitions assigned"`)) assigned.resolve();
    },
    onMessage: () => {},
  });
  child.usage.catch(assigned.reject);
  setTimeout(
    () => assigned.reject(new Error(`the ${service} got no partitions`)),
    readyPatienceMs,
  ).unref();
  return { child, assigned: assigned.promise };
}

async function cost(
  child: MeasuredProcess,
  cpuMs: number,
  { durationMs }: LatencyOptions,
): Promise<ServiceCost> {
  child.stop();
  const usage = await child.usage;
  return {
    cpuSecondsPerMinute: (cpuMs / (durationMs - latencyWindow.sizeMs)) * (minuteMs / 1_000),
    cpuSeconds: usage.cpuMs / 1_000,
    peakRssMiB: usage.peakRssMiB,
  };
}

function watch(
  { ads }: LatencyOptions,
  { mongoUrl: url, name: database }: RunContext,
  signal: AbortSignal,
): Promise<Watched> {
  const { sizeMs: windowMs } = latencyWindow;
  return watchDocuments({ url, database, collection: "ad_stats", ads, windowMs, pollMs }, signal);
}

function startLoad(
  options: LatencyOptions,
  { brokers, topics, schemaId }: RunContext,
): { startMs: Promise<number>; report: Promise<LoadReport> } {
  const started = Promise.withResolvers<number>();
  const ended = Promise.withResolvers<LoadReport>();
  ended.promise.catch(() => {}); // Awaited when the load is over.
  const topic = topics.EVENTS_TOPIC;
  const load: LoadOptions = { ...options, brokers, topic, schemaId, lingerMs, closingMs };
  const child = fork(loadProgram, { env: { ...process.env, LOAD: JSON.stringify(load) } });
  child.on("message", (news: LoadNews) => {
    if ("startMs" in news) started.resolve(news.startMs);
    else ended.resolve(news);
  });
  child.once("exit", (code) => {
    const failure = new Error(`the load ended with ${code}`);
    started.reject(failure);
    ended.reject(failure);
  });
  return { startMs: started.promise, report: ended.promise };
}

async function until(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, ms - Date.now())));
}
