import { StreamError } from "@adstream/engine/errors";
import { Partitioners, type ICustomPartitioner, type Producer } from "kafkajs";

import { clientRetry, connectWithRetry, type KafkaConnection } from "./connection.ts";
import { toStreamError } from "./error-map.ts";
import type { Log } from "./kafkajs-log.ts";
import { keyPartition } from "./key-partition.ts";
import { requireTopics } from "./partition-info.ts";
import { recordBytes, toTopicMessages, type OutgoingRecord } from "./outgoing-records.ts";

/**
 * Publishes records, acknowledged by all replicas in sync.
 *
 * Delivery guarantee: exactly once while this object lives and no send is refused; order is kept within a key. After a
 * rejection part of the records may be in the log. Back pressure: await `publish`; more than `maxQueuedBytes` waiting is
 * refused.
 */
export type Publisher = AsyncDisposable & {
  /** Of key, value and headers, with some allowance; what `publish` refuses to send. */
  readonly maxRecordBytes: number;
  /**
   * Resolves when all are acknowledged. Keys and values must not change until then.
   * @throws {StreamError} RECORD_TOO_LARGE (dead-letter): publish something smaller in its place; PUBLISH_DEADLINE: the
   *   publisher is spent; SERVER_UNAVAILABLE (retry): the queue is full; TOPIC_MISSING, NOT_AUTHORIZED
   */
  publish(records: readonly OutgoingRecord[]): Promise<void>;
};

export type PublisherOptions = {
  readonly kafka: KafkaConnection;
  readonly log: Log;
  /** From the call of `publish` to its acknowledgement. */
  readonly deadlineMs?: number;
  /** Ends waiting for brokers that cannot be reached. */
  readonly signal?: AbortSignal;
};

/** Brokers take 1 MiB by default, and what goes to one partition in one send is one record batch. */
const maxSendBytes = 900 * 1024;
const maxQueuedBytes = 64 * 1024 * 1024;

/**
 * @throws {StreamError} NOT_AUTHORIZED
 * @throws the signal's reason when it aborts before a broker answers
 */
export async function openPublisher(options: PublisherOptions): Promise<Publisher> {
  const publisher = new KafkaPublisher(options);
  await publisher.connect();
  return publisher;
}

type Waiting = {
  readonly records: readonly OutgoingRecord[];
  /** The first record that no send has taken. */
  next: number;
  readonly sizeBytes: number;
  readonly expiresAtMs: number;
  readonly done: PromiseWithResolvers<void>;
};

class KafkaPublisher implements Publisher {
  readonly maxRecordBytes = maxSendBytes;
  readonly #options: PublisherOptions;
  readonly #deadlineMs: number;
  readonly #knownTopics = new Set<string>();
  #producer: Producer;
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  #sending = false;
  /** Why nothing is published any more. */
  #spent: StreamError | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#deadlineMs = options.deadlineMs ?? 120_000;
    this.#producer = createProducer(options.kafka);
  }

  connect(): Promise<void> {
    return connectWithRetry(() => this.#producer.connect(), this.#options);
  }

  publish(records: readonly OutgoingRecord[]): Promise<void> {
    if (this.#spent !== undefined) return Promise.reject(this.#spent);
    if (records.length === 0) return Promise.resolve();
    let sizeBytes = 0;
    for (const record of records) {
      const bytes = recordBytes(record);
      if (bytes > maxSendBytes) return Promise.reject(tooLarge(record, bytes));
      sizeBytes += bytes;
    }
    if (this.#queuedBytes > maxQueuedBytes) {
      const text = `${this.#queuedBytes} bytes wait for being published`;
      return Promise.reject(new StreamError("SERVER_UNAVAILABLE", "retry", text));
    }
    const done = Promise.withResolvers<void>();
    const expiresAtMs = performance.now() + this.#deadlineMs;
    this.#queue.push({ records, next: 0, sizeBytes, expiresAtMs, done });
    this.#queuedBytes += sizeBytes;
    if (!this.#sending) void this.#sendAll();
    return done.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end(new StreamError("SERVER_UNAVAILABLE", "retry", "the publisher is closed"));
    await this.#producer.disconnect();
  }

  /** One send after the other: overlapping sends of kafkajs' idempotent producer lose acknowledged records. Never rejects. */
  async #sendAll(): Promise<void> {
    this.#sending = true;
    while (this.#queue.length > 0) {
      const taken = this.#take();
      try {
        await this.#withDeadline(taken.expiresAtMs, this.#send(taken.records));
        for (const waiting of taken.from) {
          if (waiting.next === waiting.records.length) this.#settle(waiting)?.resolve();
        }
      } catch (error) {
        const failure = toStreamError(error, "publishing");
        for (const waiting of taken.from) this.#settle(waiting)?.reject(failure);
        if (failure.code === "PUBLISH_DEADLINE") this.#end(failure);
      }
    }
    this.#sending = false;
  }

  /** Fills one send from the front of the queue. What is taken stays queued until it is settled. */
  #take(): { records: OutgoingRecord[]; from: Waiting[]; expiresAtMs: number } {
    const records: OutgoingRecord[] = [];
    const from: Waiting[] = [];
    let sizeBytes = 0;
    for (const waiting of this.#queue) {
      from.push(waiting);
      for (; waiting.next < waiting.records.length; waiting.next++) {
        const record = waiting.records[waiting.next];
        if (record === undefined) break;
        sizeBytes += recordBytes(record);
        if (sizeBytes > maxSendBytes && records.length > 0) break;
        records.push(record);
      }
      if (waiting.next < waiting.records.length) break;
    }
    return { records, from, expiresAtMs: from[0]?.expiresAtMs ?? 0 };
  }

  /** @returns undefined when it was settled before */
  #settle(waiting: Waiting): PromiseWithResolvers<void> | undefined {
    const index = this.#queue.indexOf(waiting);
    if (index < 0) return undefined;
    this.#queue.splice(index, 1);
    this.#queuedBytes -= waiting.sizeBytes;
    return waiting.done;
  }

  async #send(records: readonly OutgoingRecord[]): Promise<void> {
    const topicMessages = toTopicMessages(records);
    await this.#requireTopics(topicMessages.map(({ topic }) => topic));
    try {
      await this.#producer.sendBatch({ acks: -1, timeout: 30_000, topicMessages });
      return;
    } catch (error) {
      // kafkajs rolled the sequence numbers of the whole send back, although other partitions may have taken their part:
      // the same producer would have later records acknowledged as duplicates of these.
      await this.#replaceProducer();
      const failure = toStreamError(error, "publishing");
      if (failure.code !== "RECORD_TOO_LARGE" || records.length === 1) throw failure;
    }
    // Small records can make a batch that a topic with a low max.message.bytes refuses.
    const middle = Math.ceil(records.length / 2);
    await this.#send(records.slice(0, middle));
    await this.#send(records.slice(middle));
  }

  async #replaceProducer(): Promise<void> {
    const refused = this.#producer;
    this.#producer = createProducer(this.#options.kafka);
    await refused.disconnect();
    await this.#producer.connect();
  }

  /** kafkajs retries a topic that does not exist until the deadline, and does not say which. */
  async #requireTopics(topics: readonly string[]): Promise<void> {
    const unknown = topics.filter((topic) => !this.#knownTopics.has(topic));
    if (unknown.length === 0) return;
    await requireTopics(this.#options.kafka, unknown);
    for (const topic of unknown) this.#knownTopics.add(topic);
  }

  /** Rejects at the deadline; `work` itself cannot be cancelled, so the publisher must not be used afterwards. */
  async #withDeadline(expiresAtMs: number, work: Promise<void>): Promise<void> {
    const deadline = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => deadline.reject(deadlinePassed(this.#deadlineMs)),
      expiresAtMs - performance.now(),
    );
    try {
      await Promise.race([work, deadline.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #end(reason: StreamError): void {
    this.#spent ??= reason;
    const waiting = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    for (const { done } of waiting) done.reject(reason);
  }
}

function createProducer(kafka: KafkaConnection): Producer {
  return kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    metadataMaxAge: 60_000,
    createPartitioner: partitionByKey,
    // Of an idempotent producer kafkajs wants retries without end; the deadline is ours.
    retry: { ...clientRetry, retries: Number.MAX_SAFE_INTEGER },
  });
}

/** Java's: the same key goes to the same partition whoever produces. */
const partitionByKey: ICustomPartitioner = () => {
  const otherwise = Partitioners.DefaultPartitioner();
  return (record) => {
    const { key } = record.message;
    return Buffer.isBuffer(key)
      ? keyPartition(key, record.partitionMetadata.length)
      : otherwise(record);
  };
};

function tooLarge({ topic }: OutgoingRecord, sizeBytes: number): StreamError {
  const text = `record of ${sizeBytes} bytes for ${topic} exceeds ${maxSendBytes}`;
  return new StreamError("RECORD_TOO_LARGE", "dead-letter", text);
}

function deadlinePassed(deadlineMs: number): StreamError {
  const text = `records were not acknowledged within ${deadlineMs} ms`;
  return new StreamError("PUBLISH_DEADLINE", "stop", text);
}
