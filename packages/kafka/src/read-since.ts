import { randomUUID } from "node:crypto";

import { StreamError } from "@adstream/engine/errors";
import type { Admin, Consumer } from "kafkajs";

import { connectOnce, type KafkaConnection } from "./connection.ts";
import { toStreamError } from "./error-map.ts";

export type ReadSinceOptions = {
  readonly kafka: KafkaConnection;
  readonly topic: string;
  /** Begins the name of the group that is made for the reading and removed after it. */
  readonly groupId: string;
  /** From the first record with such a Kafka timestamp on, epoch ms; 0: from the first there is. */
  readonly sinceMs: number;
  /** Gives up when nothing comes for so long; 30 s when left out. */
  readonly stallMs?: number;
};

type Span = { readonly from: number; readonly to: number };

/**
 * Reads a topic once, from a time to its end as it is at the call; the partitions in no order among each other. For the
 * rare look back, not for a pipeline: it takes the stock consumer in a group of its own.
 *
 * @returns whether retention can have removed nothing of what was asked for
 * @throws {StreamError} SERVER_UNAVAILABLE (retry), TOPIC_MISSING, NOT_AUTHORIZED
 */
export async function readSince(
  options: ReadSinceOptions,
  each: (value: Buffer | null) => void,
): Promise<boolean> {
  const { kafka, topic, sinceMs } = options;
  const admin = kafka.admin();
  try {
    await connectOnce(() => admin.connect(), kafka);
    const { spans, complete } = await spansSince(admin, topic, sinceMs);
    if (spans.size > 0) await readSpans(options, admin, spans, each);
    return complete;
  } catch (error) {
    throw toStreamError(error, `reading ${topic} back`);
  } finally {
    await admin.disconnect();
  }
}

async function spansSince(
  admin: Admin,
  topic: string,
  sinceMs: number,
): Promise<{ spans: Map<number, Span>; complete: boolean }> {
  const since = new Map<number, number>();
  if (sinceMs > 0) {
    const offsets = await admin.fetchTopicOffsetsByTimestamp(topic, sinceMs);
    for (const { partition, offset } of offsets) since.set(partition, Number(offset));
  }
  const spans = new Map<number, Span>();
  let complete = true;
  for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
    const from = Math.max(Number(low), since.get(partition) ?? 0);
    // A record before the time is still there, or there never was one.
    if (Number(low) > 0 && from === Number(low)) complete = false;
    if (from < Number(high)) spans.set(partition, { from, to: Number(high) });
  }
  return { spans, complete };
}

async function readSpans(
  { kafka, topic, groupId, stallMs = 30_000 }: ReadSinceOptions,
  admin: Admin,
  spans: Map<number, Span>,
  each: (value: Buffer | null) => void,
): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const group = `${groupId}-look-back-${randomUUID()}`;
  const retry = { restartOnFailure: () => Promise.resolve(false) };
  const consumer = opened.adopt(
    kafka.consumer({ groupId: group, maxWaitTimeInMs: 100, retry }),
    async (client) => {
      await client.disconnect();
      await admin.deleteGroups([group]).catch(() => {});
    },
  );
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  const stalled = (): void =>
    reject(new StreamError("SERVER_UNAVAILABLE", "retry", `${topic} could not be read to its end`));
  let timer = setTimeout(stalled, stallMs);
  using _timer = { [Symbol.dispose]: () => clearTimeout(timer) };
  consumer.on("consumer.crash", ({ payload }) => reject(payload.error));
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    async eachBatch(payload) {
      const { batch } = payload;
      clearTimeout(timer);
      timer = setTimeout(stalled, stallMs);
      const span = spans.get(batch.partition);
      if (span === undefined) return;
      for (const { offset, value } of batch.messages) {
        if (Number(offset) >= span.from && Number(offset) < span.to) each(value);
      }
      await payload.heartbeat();
      if (Number(batch.lastOffset()) + 1 >= span.to) spans.delete(batch.partition);
      if (spans.size === 0) resolve();
    },
  });
  seekTo(consumer, topic, spans);
  await done;
}

function seekTo(consumer: Consumer, topic: string, spans: ReadonlyMap<number, Span>): void {
  for (const [partition, { from }] of spans) {
    if (from > 0) consumer.seek({ topic, partition, offset: String(from) });
  }
}
