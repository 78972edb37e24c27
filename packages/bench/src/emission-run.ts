import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readDocuments } from "./document-rows.ts";
import type { EmissionOptions } from "./emission-options.ts";
import type { LoadReport } from "./load-generator.ts";
import { compareRows, Oracle, type Verdict, type WindowSums } from "./oracle.ts";
import { type Load, pacedEvents } from "./paced-events.ts";
import { readResults } from "./read-results.ts";
import {
  cost,
  loadServices,
  type RunContext,
  type Service,
  type ServiceCost,
  startService,
  until,
} from "./services-under-load.ts";
import { latencyWindow } from "./window-times.ts";

export type EmissionRun = {
  readonly events: number;
  /** On the results topic. */
  readonly results: number;
  /** Documents written, each as often as it was. */
  readonly writes: number;
  readonly documents: number;
  /** Most results that were in the log and not in MongoDB, at the looks of each second while events came. */
  readonly mostWaiting: number;
  /** From the last event to the last of its results in MongoDB, by looks of each second; apart, from the sink's start. */
  readonly behindMs: number;
  readonly processor: ServiceCost;
  readonly sink: ServiceCost;
  readonly load: LoadReport;
  readonly inKafka: Verdict;
  readonly inMongo: Verdict;
};

/** For what is still on its way when the last event is sent. */
const tailMs = 4_000;
const patienceMs = 180_000;
const lookMs = 250;

/** A load of which every emission changes many results, on one processor and one sink. */
export async function runEmission(
  options: EmissionOptions,
  context: RunContext,
): Promise<EmissionRun> {
  const { kafka, admin, topics } = context;
  const checkpoints = await mkdtemp(join(tmpdir(), "adstream-bench-"));
  try {
    const setting = { ...options, model: "uniform" as const, producers: 1, onlyFinal: false };
    const processor = startService("processor", setting, context, checkpoints);
    const sinkSaid = { documents: 0, waiting: 0, mostWaiting: 0 };
    const startSink = (): Service =>
      startService("sink", setting, context, checkpoints, (message) => note(sinkSaid, message));
    const beside = options.apart ? [] : [startSink()];
    await Promise.all([processor, ...beside].map(({ assigned }) => assigned));
    const { startMs, cpuMs, load } = await loadServices([processor, ...beside], setting, context);
    const [processorMs = 0, sinkMs = 0] = cpuMs;
    const { mostWaiting } = sinkSaid;
    let fromMs = Date.now();
    await until(fromMs + tailMs);
    const processorCost = await cost(processor.child, processorMs, options);
    const [sink = startSink()] = beside;
    if (options.apart) {
      await sink.assigned;
      fromMs = Date.now();
    }
    const doneMs = await drained(sinkSaid, Date.now() + patienceMs);
    const sinkCost = await cost(sink.child, sinkMs, options);
    const results = await readResults(kafka, admin, topics.RESULTS_TOPIC);
    const expected = expectedRows({ ...setting, startMs });
    const documents = await readDocuments(context);
    return {
      events: load.sent,
      results: results.records,
      writes: sinkSaid.documents,
      documents: documents.size,
      mostWaiting,
      behindMs: Math.max(0, doneMs - fromMs),
      processor: processorCost,
      sink: sinkCost,
      load,
      inKafka: compareRows(expected, results.rows),
      inMongo: compareRows(expected, documents),
    };
  } finally {
    await rm(checkpoints, { recursive: true });
  }
}

type SinkSaid = { documents: number; waiting: number; mostWaiting: number };

function note(said: SinkSaid, message: unknown): void {
  const { documents, lagRecords }: { documents?: unknown; lagRecords?: unknown } = Object(message);
  if (typeof documents === "number") said.documents = documents;
  if (typeof lagRecords !== "number") return;
  said.waiting = lagRecords;
  said.mostWaiting = Math.max(said.mostWaiting, lagRecords);
}

/** @returns when nothing waits any more, epoch ms */
async function drained(said: SinkSaid, deadlineMs: number): Promise<number> {
  while (said.waiting > 0 || said.documents === 0) {
    if (Date.now() > deadlineMs)
      throw new Error(`the sink is ${said.waiting} results behind after ${patienceMs / 1_000} s`);
    await until(Date.now() + lookMs);
  }
  return Date.now();
}

function expectedRows(load: Load): Map<string, WindowSums> {
  const { sizeMs } = latencyWindow;
  const oracle = new Oracle(load.ads, { sizeMs, slideMs: sizeMs });
  const events = pacedEvents(load);
  while (events.nextMs() !== Number.POSITIVE_INFINITY)
    oracle.count(events.take(Number.POSITIVE_INFINITY));
  return oracle.rows();
}
