import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { watchDocuments, type Watched } from "./document-watch.ts";
import { adPartitions } from "./fill-topic.ts";
import type { LatencyOptions } from "./latency-options.ts";
import type { LoadReport } from "./load-generator.ts";
import { compareRows, type Verdict } from "./oracle.ts";
import { type ResultRecord, readResultRecords, readResults } from "./read-results.ts";
import { type ResultLatency, resultLatency, type Spread } from "./result-latency.ts";
import {
  cost,
  loadServices,
  type RunContext,
  type ServiceCost,
  startService,
  until,
} from "./services-under-load.ts";
import { latencyWindow, type WindowTimes, windowTimes } from "./window-times.ts";

export type LatencyRun = {
  readonly kafka: ResultLatency;
  readonly mongo: (ResultLatency & { readonly resolutionMs: Spread }) | undefined;
  readonly processor: ServiceCost;
  readonly sink: ServiceCost | undefined;
  readonly load: LoadReport;
  readonly resultRecords: number;
  readonly rows: Verdict;
};

const pollMs = 5;
/** From the last event to the end of the services: what they still have to say. */
const tailMs = 4_000;

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
    const services = sink === undefined ? [processor] : [processor, sink];
    const { startMs, cpuMs, load } = await loadServices(services, options, context);
    await until(Date.now() + tailMs);
    watching.abort();
    const seen = await watched;
    const costs = await Promise.all(
      services.map(({ child }, at) => cost(child, cpuMs[at] ?? 0, options)),
    );
    const partitionOf = adPartitions({ ...options, topic: topics.EVENTS_TOPIC });
    const times = windowTimes({ ...options, startMs }, partitionOf);
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

function watch(
  { ads }: LatencyOptions,
  { mongoUrl: url, name: database }: RunContext,
  signal: AbortSignal,
): Promise<Watched> {
  const { sizeMs: windowMs } = latencyWindow;
  return watchDocuments({ url, database, collection: "ad_stats", ads, windowMs, pollMs }, signal);
}
