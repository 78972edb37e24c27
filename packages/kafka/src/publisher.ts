import { StreamError } from "@adstream/engine/errors";
import type { Producer, TopicMessages } from "kafkajs";

import { blockMessages } from "./block-messages.ts";
import { connectWithRetry, type KafkaConnection } from "./connection.ts";
import { toStreamError } from "./error-map.ts";
import { idempotentProducer, metadataMaxAgeMs } from "./idempotent-producer.ts";
import type { Log } from "./kafkajs-log.ts";
import { partitionCounts } from "./partition-info.ts";
import { recordBytes, toTopicMessages, type OutgoingRecord } from "./outgoing-records.ts";
import { RecordBlocks } from "./record-blocks.ts";

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
  /**
   * Empty blocks for a topic, over the partitions that it has.
   * @throws {StreamError} TOPIC_MISSING, SERVER_UNAVAILABLE (retry), NOT_AUTHORIZED
   */
  openBlocks(topic: string): Promise<RecordBlocks>;
  /**
   * As `publish`, for many records: empties the blocks once all are acknowledged. Nothing may be appended until then.
   * @throws {StreamError} as `publish` does
   */
  publishBlocks(blocks: RecordBlocks): Promise<void>;
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
  /** None where there are blocks, which are sent alone. */
  readonly records: readonly OutgoingRecord[];
  readonly blocks?: RecordBlocks;
  /** The first record that no send has taken. */
  next: number;
  readonly sizeBytes: number;
  readonly expiresAtMs: number;
  readonly done: PromiseWithResolvers<void>;
};

/** What one send is made of. */
type Taken = Pick<Waiting, "records" | "blocks" | "expiresAtMs"> & { readonly from: Waiting[] };

class KafkaPublisher implements Publisher {
  readonly maxRecordBytes = maxSendBytes;
  readonly #options: PublisherOptions;
  readonly #deadlineMs: number;
  readonly #knownTopics = new Set<string>();
  readonly #partitions = new Map<string, number>();
  #producer: Producer;
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  #sending = false;
  /** Topics grow. */
  #countAgainAtMs = 0;
  /** Why nothing is published any more. */
  #spent: StreamError | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#deadlineMs = options.deadlineMs ?? 120_000;
    this.#producer = idempotentProducer(options.kafka);
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
    return this.#enqueue({ records, sizeBytes });
  }

  async openBlocks(topic: string): Promise<RecordBlocks> {
    return new RecordBlocks(topic, await this.#countPartitions(topic));
  }

  async publishBlocks(blocks: RecordBlocks): Promise<void> {
    if (this.#spent !== undefined) throw this.#spent;
    if (blocks.records > 0) await this.#enqueue({ records: [], blocks, sizeBytes: 0 });
    blocks.clear();
    const partitions = this.#partitions.get(blocks.topic);
    if (partitions !== undefined) blocks.spreadOver(partitions);
    if (performance.now() < this.#countAgainAtMs) return;
    // Nobody waits for it, and brokers that are away are the next send's affair.
    void this.#countPartitions(blocks.topic).catch(() => {});
  }

  async #countPartitions(topic: string): Promise<number> {
    this.#countAgainAtMs = performance.now() + metadataMaxAgeMs;
    try {
      const [partitions = 1] = await partitionCounts(this.#options.kafka, [topic]);
      this.#knownTopics.add(topic);
      this.#partitions.set(topic, partitions);
      return partitions;
    } catch (error) {
      throw toStreamError(error, `reading ${topic}`);
    }
  }

  #enqueue(what: Pick<Waiting, "records" | "blocks" | "sizeBytes">): Promise<void> {
    const done = Promise.withResolvers<void>();
    const expiresAtMs = performance.now() + this.#deadlineMs;
    this.#queue.push({ ...what, next: 0, expiresAtMs, done });
    this.#queuedBytes += what.sizeBytes;
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
        await this.#withDeadline(taken.expiresAtMs, this.#sendTaken(taken));
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
  #take(): Taken {
    const records: OutgoingRecord[] = [];
    const from: Waiting[] = [];
    let sizeBytes = 0;
    const [first] = this.#queue;
    if (first?.blocks !== undefined) return { ...first, from: [first] };
    for (const waiting of this.#queue) {
      if (waiting.blocks !== undefined) break;
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

  async #sendTaken({ records, blocks }: Taken): Promise<void> {
    if (blocks === undefined) return await this.#send(records);
    if (await this.#fits([blockMessages(blocks)], blocks.records)) return;
    await this.#send([...blocks.outgoing()]);
  }

  /** Small records can make a batch that a topic with a low max.message.bytes refuses: it is sent in halves. */
  async #send(records: readonly OutgoingRecord[]): Promise<void> {
    if (await this.#fits(toTopicMessages(records), records.length)) return;
    const middle = Math.ceil(records.length / 2);
    await this.#send(records.slice(0, middle));
    await this.#send(records.slice(middle));
  }

  /** @returns false when the broker found several records together too large */
  async #fits(topicMessages: TopicMessages[], records: number): Promise<boolean> {
    await this.#requireTopics(topicMessages.map(({ topic }) => topic));
    try {
      await this.#producer.sendBatch({ acks: -1, timeout: 30_000, topicMessages });
      return true;
    } catch (error) {
      // kafkajs rolled the sequence numbers of the whole send back, although other partitions may have taken their part:
      // the same producer would have later records acknowledged as duplicates of these.
      await this.#replaceProducer();
      const failure = toStreamError(error, "publishing");
      if (failure.code === "RECORD_TOO_LARGE" && records > 1) return false;
      throw failure;
    }
  }

  async #replaceProducer(): Promise<void> {
    const refused = this.#producer;
    this.#producer = idempotentProducer(this.#options.kafka);
    await refused.disconnect();
    await this.#producer.connect();
  }

  /** kafkajs retries a topic that does not exist until the deadline, and does not say which. */
  async #requireTopics(topics: readonly string[]): Promise<void> {
    const unknown = topics.filter((topic) => !this.#knownTopics.has(topic));
    if (unknown.length === 0) return;
    await partitionCounts(this.#options.kafka, unknown);
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

function tooLarge({ topic }: OutgoingRecord, sizeBytes: number): StreamError {
  const text = `record of ${sizeBytes} bytes for ${topic} exceeds ${maxSendBytes}`;
  return new StreamError("RECORD_TOO_LARGE", "dead-letter", text);
}

function deadlinePassed(deadlineMs: number): StreamError {
  const text = `records were not acknowledged within ${deadlineMs} ms`;
  return new StreamError("PUBLISH_DEADLINE", "stop", text);
}
