import { randomUUID } from "node:crypto";
import { type Admin, type Batch, type Consumer, Kafka, type KafkaConfig, logLevel } from "kafkajs";

export type RawRecord = Batch["messages"][number];

/** Offsets `[from, to)` of one partition; `low` is the first that retention left. */
export type Span = { readonly low: number; readonly from: number; readonly to: number };

/** By partition, all of a topic's, empty ones included. */
export type Spans = ReadonlyMap<number, Span>;

/** What the log holds now. @param sinceMs epoch ms: from the first record with such a Kafka timestamp, or a later one */
export async function topicSpans(kafka: Kafka, topic: string, sinceMs = 0): Promise<Spans> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    const since = sinceMs > 0 ? await offsetsSince(admin, topic, sinceMs) : undefined;
    const offsets = await admin.fetchTopicOffsets(topic);
    return new Map(
      offsets.map(({ partition, low, high }) => {
        const from = Math.min(Number(high), Math.max(Number(low), since?.get(partition) ?? 0));
        return [partition, { low: Number(low), from, to: Number(high) }];
      }),
    );
  } finally {
    await admin.disconnect();
  }
}

async function offsetsSince(
  admin: Admin,
  topic: string,
  epochMs: number,
): Promise<Map<number, number>> {
  const offsets = await admin.fetchTopicOffsetsByTimestamp(topic, epochMs);
  return new Map(offsets.map(({ partition, offset }) => [partition, Number(offset)]));
}

export type RawTopicOptions = {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly spans: Spans;
  /** Gives up when a partition that is waited for brings nothing for so long; 30 s when left out. */
  readonly stallMs?: number | undefined;
  /** Makes whoever waits for records throw its reason. */
  readonly signal?: AbortSignal | undefined;
};

/** The records of each partition in offset order; a partition that is not read on is not fetched on. */
export type RawTopic = AsyncDisposable & {
  readonly partitions: ReadonlyMap<number, AsyncIterable<readonly RawRecord[]>>;
};

/** Waiting records at which a partition is paused. */
const maxQueued = 5_000;

/** A client from what may be one already. */
export function kafkaClient(kafka: Kafka | KafkaConfig): Kafka {
  if (kafka instanceof Kafka) return kafka;
  return new Kafka({ logLevel: logLevel.NOTHING, ...kafka });
}

/** Opens the stock consumer, in a group of its own that is gone afterwards. Nothing is committed. */
export async function openRawTopic(options: RawTopicOptions): Promise<RawTopic> {
  const { kafka, topic, spans, stallMs = 30_000, signal } = options;
  signal?.throwIfAborted();
  const wanted = [...spans].filter(([, { from, to }]) => from < to);
  if (wanted.length === 0) return { partitions: new Map(), async [Symbol.asyncDispose]() {} };
  await using opening = new AsyncDisposableStack();
  const groupId = `adstream-verify-${randomUUID()}`;
  const admin = opening.adopt(kafka.admin(), (client) => client.disconnect());
  await admin.connect();
  const consumer = opening.adopt(
    kafka.consumer({
      groupId,
      maxWaitTimeInMs: 100,
      retry: { restartOnFailure: async () => false },
    }),
    async (client) => {
      await client.disconnect();
      await admin.deleteGroups([groupId]).catch(() => {});
    },
  );
  const queues = new Map(
    wanted.map(([partition, span]) => [
      partition,
      new PartitionQueue(consumer, topic, partition, span, stallMs),
    ]),
  );
  const fail = (error: Error): void => {
    for (const queue of queues.values()) queue.fail(error);
  };
  const onAbort = (): void => fail(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  opening.defer(() => signal?.removeEventListener("abort", onAbort));
  consumer.on("consumer.crash", ({ payload }) => fail(payload.error));
  await start(consumer, topic, spans, queues);
  const resources = opening.move();
  return { partitions: queues, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

async function start(
  consumer: Consumer,
  topic: string,
  spans: Spans,
  queues: ReadonlyMap<number, PartitionQueue>,
): Promise<void> {
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    async eachBatch({ batch }) {
      queues.get(batch.partition)?.offer(batch);
    },
  });
  for (const [partition, { low, from, to }] of spans) {
    if (from >= to) consumer.pause([{ topic, partitions: [partition] }]);
    else if (from > low) consumer.seek({ topic, partition, offset: String(from) });
  }
}

class PartitionQueue implements AsyncIterable<readonly RawRecord[]> {
  readonly #consumer: Consumer;
  readonly #place: { topic: string; partitions: number[] };
  readonly #span: Span;
  readonly #stallMs: number;
  #queue: RawRecord[][] = [];
  #queued = 0;
  #paused = false;
  #next: number;
  #failure: Error | undefined;
  #wake = Promise.withResolvers<void>();

  constructor(consumer: Consumer, topic: string, partition: number, span: Span, stallMs: number) {
    this.#consumer = consumer;
    this.#place = { topic, partitions: [partition] };
    this.#span = span;
    this.#stallMs = stallMs;
    this.#next = span.from;
  }

  offer(batch: Batch): void {
    // What was fetched before a seek took hold comes twice.
    const records = batch.messages.filter(({ offset }) => {
      return Number(offset) >= this.#next && Number(offset) < this.#span.to;
    });
    const next = Number(batch.lastOffset()) + 1;
    if (next > this.#next) this.#next = next;
    if (records.length > 0) this.#queue.push(records);
    this.#queued += records.length;
    if (this.#queued >= maxQueued || this.#next >= this.#span.to) this.#pause();
    this.#wake.resolve();
  }

  fail(error: Error): void {
    this.#failure = error;
    this.#wake.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly RawRecord[]> {
    try {
      for (;;) {
        const records = this.#queue.shift();
        if (records !== undefined) {
          this.#queued -= records.length;
          yield records;
        } else if (this.#next >= this.#span.to) return;
        else await this.#more();
      }
    } finally {
      this.#next = this.#span.to;
      this.#pause();
    }
  }

  async #more(): Promise<void> {
    this.#wake = Promise.withResolvers<void>();
    if (this.#paused) this.#consumer.resume([this.#place]);
    this.#paused = false;
    const timer = setTimeout(() => this.fail(this.#stalled()), this.#stallMs);
    try {
      if (this.#failure === undefined) await this.#wake.promise;
    } finally {
      clearTimeout(timer);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #pause(): void {
    if (!this.#paused) this.#consumer.pause([this.#place]);
    this.#paused = true;
  }

  #stalled(): Error {
    const { topic, partitions } = this.#place;
    const end = `offset ${this.#span.to} of partition ${partitions.join()}`;
    return new Error(`${topic} stalled at offset ${this.#next} before ${end}`);
  }
}
