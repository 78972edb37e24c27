import { randomUUID } from "node:crypto";
import kafkajs from "kafkajs";
import type { Codec } from "./codecs.ts";
import {
  adKeys,
  adPartitions,
  closingRecord,
  openSockets,
  type Sockets,
  valueWriter,
} from "./fill-topic.ts";
import { type Load, pacedEvents } from "./paced-events.ts";
import type { Produce } from "./produce-socket.ts";
import { BatchBuilder } from "./record-batches.ts";

/** What the process of the load is given, as JSON in `LOAD`. */
export type LoadOptions = Omit<Load, "startMs"> & {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly partitions: number;
  readonly codec: Codec;
  readonly schemaId: number;
  /** How long events wait for others; that of the peers' producer. */
  readonly lingerMs: number;
  /** Until the log's time, when the closing records come: behind the end of every window. */
  readonly closingMs: number;
};

/** What it says: when the first event is due, and at the end how it kept to the schedule. */
export type LoadNews = { readonly startMs: number } | LoadReport;
export type LoadReport = {
  readonly sent: number;
  /** From when an event was due to its hand-over to the socket; no event of a batch waited longer. */
  readonly sendDelayMs: { readonly p50: number; readonly p99: number; readonly max: number };
};

const settleMs = 500;

await generate(JSON.parse(process.env["LOAD"] ?? "{}"));

/**
 * Sends events as they become due. The schedule does not wait for the log: what a stall delays keeps the time at which
 * it was due, so that the delay counts (Tene, coordinated omission).
 */
async function generate(options: LoadOptions): Promise<void> {
  const kafka = new kafkajs.Kafka({
    brokers: [...options.brokers],
    clientId: `load-${randomUUID()}`,
    logLevel: kafkajs.logLevel.ERROR,
  });
  const admin = kafka.admin();
  await admin.connect();
  await using sockets = await openSockets({ admin, topic: options.topic });
  await admin.disconnect();
  const startMs = Date.now() + settleMs;
  process.send?.({ startMs });
  const report = await sendAll(options, { ...options, startMs }, sockets);
  process.send?.(report, () => process.disconnect());
}

async function sendAll(options: LoadOptions, load: Load, sockets: Sockets): Promise<LoadReport> {
  const { topic, partitions, codec, schemaId, lingerMs, closingMs } = options;
  const events = pacedEvents(load);
  const writeValue = valueWriter(schemaId);
  const keys = adKeys(load.ads);
  const partitionOf = adPartitions({ topic, ads: load.ads, partitions });
  const builders = Array.from({ length: partitions }, () => new BatchBuilder(codec));
  const delays: number[] = [];
  let sent = 0;
  const send = async (): Promise<void> => {
    const produces: Produce[] = [];
    for (const [partition, builder] of builders.entries()) {
      if (builder.count > 0) produces.push({ topic, partition, batch: builder.take() });
    }
    if (produces.length > 0) await sockets.sendTogether(produces);
  };
  // Wall time that cannot step: the schedule is in epoch ms.
  const offsetMs = Date.now() - performance.now();
  while (events.nextMs() !== Number.POSITIVE_INFINITY) {
    const wakeMs = events.nextMs() + lingerMs;
    await sleep(wakeMs - (offsetMs + performance.now()));
    const nowMs = offsetMs + performance.now();
    const firstMs = events.nextMs();
    const chunk = events.take(nowMs);
    for (let row = 0; row < chunk.count; row++) {
      const ad = chunk.ad[row] ?? 0;
      const builder = builders[partitionOf[ad] ?? 0];
      const key = keys[ad];
      if (builder === undefined || key === undefined) continue;
      builder.add(key, chunk, row, writeValue);
      if (builder.full) await send();
    }
    await send();
    sent += chunk.count;
    delays.push(offsetMs + performance.now() - firstMs);
  }
  builders.forEach(closingRecord(schemaId, load.startMs + load.durationMs + closingMs));
  await send();
  await sockets.flush();
  const sorted = Float64Array.from(delays).sort();
  const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? 0;
  return { sent, sendDelayMs: { p50: at(0.5), p99: at(0.99), max: at(1) } };
}

function sleep(ms: number): Promise<void> {
  return ms <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
}
