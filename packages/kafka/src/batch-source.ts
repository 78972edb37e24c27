import type { LogSource } from "@adstream/engine/ports";
import type { Consumer, ConsumerGroupJoinEvent, EachBatchPayload } from "kafkajs";

import { AssignedPartitions, type AssignedPartition } from "./assigned-partitions.ts";
import { abortableSleep, type KafkaConnection } from "./connection.ts";
import { deliver } from "./batch-delivery.ts";
import { leaveForTheDead } from "./dead-members.ts";
import { toStreamError } from "./error-map.ts";
import { heartbeats, rejoinFollows } from "./heartbeats.ts";
import type { Log } from "./kafkajs-log.ts";
import { type CommittedInfo, openTopicReader, type TopicReader } from "./partition-info.ts";
import { createRawConsumer, type RawConsumerOptions } from "./raw-consumer.ts";
import type { BatchHeader } from "./record-batch.ts";

/** Whoever reads record batches. Errors it throws end the source, and with it the process. */
export type BatchHandler = {
  /** A new assignment, synchronously, before any batch of it. All partitions are paused until `start`. */
  assigned(partitions: readonly number[]): void;
  /**
   * One record batch with committed data. Records below `fromOffset` are not wanted: a position may lie inside a batch.
   * "later": nothing was done; it comes again once the partition is resumed.
   */
  batch(
    partition: number,
    bytes: Uint8Array,
    header: BatchHeader,
    fromOffset: number,
  ): Promise<"done" | "later">;
  /** A fetch proved that nothing lies at or behind `nextOffset`. Called again at every such fetch. */
  atLogEnd(partition: number, nextOffset: number): void;
  /** The group rebalances, or this member leaves it: flush, in `budgetMs` at most. The member keeps its session. */
  beforeRejoin(budgetMs: number): Promise<void>;
};

/**
 * One topic as a member of a consumer group, record batch by record batch.
 *
 * Delivery guarantee: that of `LogSource`. Back pressure: `pause`, or "later"; a paused member stays in its group.
 */
export type BatchSource = AsyncDisposable &
  Omit<LogSource, "describe" | "commit"> & {
    describe(partition: number): Promise<CommittedInfo>;
    /**
     * Best effort; never rejects.
     * @param notes kept by Kafka beside the offsets, up to 4 KiB each
     */
    commit(
      positions: ReadonlyMap<number, number>,
      notes?: ReadonlyMap<number, string>,
    ): Promise<void>;
    /**
     * Joins the group and reads until `signal` aborts; then the batch in hand is finished, `beforeRejoin` is called and
     * the group is left. Called once.
     * @throws {StreamError} what ends the process: OFFSET_GAP, BATCH_CORRUPT, what the handler threw, or a crash of the client
     */
    run(handler: BatchHandler, signal: AbortSignal): Promise<void>;
    /** Next offset to be written to a partition of ours, as the last fetch said; undefined before the first one. */
    logEnd(partition: number): number | undefined;
    /** Whether nothing can come from a partition of ours: it is paused, or what follows is of open transactions. */
    waiting(partition: number): boolean;
  };

export type BatchSourceOptions = Pick<RawConsumerOptions, "fetchPaceMs" | "reuseBuffers"> & {
  readonly kafka: KafkaConnection;
  readonly groupId: string;
  readonly topic: string;
  /** A member that is killed is missed for this long. */
  readonly sessionTimeoutMs: number;
  readonly log: Log;
  /** Ends waiting for brokers that cannot be reached. */
  readonly signal?: AbortSignal;
  /** Members may take this long to rejoin; flushing before a rejoin gets half of it. */
  readonly rebalanceTimeoutMs?: number;
};

const commitPatienceMs = 5_000;
const leavePatienceMs = 3_000;

/**
 * Waits for the brokers (1 to 10 s between attempts, one log line each), checks the topic, connects, and takes members
 * that are known to be dead out of the group; joins nothing.
 *
 * @throws {StreamError} TOPIC_MISSING, NOT_AUTHORIZED
 * @throws the signal's reason when it aborts before a broker answers
 */
export async function openBatchSource(options: BatchSourceOptions): Promise<BatchSource> {
  await using opening = new AsyncDisposableStack();
  const reader = opening.use(await openTopicReader(options));
  const source = opening.use(new KafkaBatchSource(options, reader));
  await source.connect();
  await leaveForTheDead(options);
  const resources = opening.move();
  return Object.assign(source, { [Symbol.asyncDispose]: () => resources.disposeAsync() });
}

class KafkaBatchSource implements BatchSource {
  readonly #options: BatchSourceOptions;
  readonly #reader: TopicReader;
  readonly #consumer: Consumer;
  readonly #partitions: AssignedPartitions;
  readonly #heartbeatMs: number;
  readonly #rejoinBudgetMs: number;
  readonly #failed = Promise.withResolvers<never>();
  #handler: BatchHandler | undefined;
  /** Of the present assignment, as kafkajs counts them; batches carry the one they were fetched for. */
  #epoch = 0;
  #flushedEpoch = 0;
  /** Nothing is delivered between the flush before a rejoin and the assignment after it, nor once this is over. */
  #silent = true;
  #stopped = false;
  #delivering: Promise<void> = Promise.resolve();
  #left: Promise<void> | undefined;

  constructor(options: BatchSourceOptions, reader: TopicReader) {
    const { kafka, sessionTimeoutMs } = options;
    const rebalanceTimeoutMs = options.rebalanceTimeoutMs ?? 30_000;
    this.#options = options;
    this.#reader = reader;
    this.#heartbeatMs = Math.min(2_000, Math.floor(sessionTimeoutMs / 4));
    this.#rejoinBudgetMs = rebalanceTimeoutMs / 2;
    this.#failed.promise.catch(() => {}); // Read by run, which may not have begun.
    this.#consumer = createRawConsumer(kafka, {
      ...options,
      heartbeatMs: this.#heartbeatMs,
      rebalanceTimeoutMs,
      onBeforeJoin: () => this.#beforeJoin(),
    });
    this.#partitions = new AssignedPartitions(this.#consumer, options.topic, options.log);
  }

  async connect(): Promise<void> {
    const { topic } = this.#options;
    const { GROUP_JOIN, CRASH } = this.#consumer.events;
    this.#consumer.on(GROUP_JOIN, (event) => this.#joined(event));
    this.#consumer.on(CRASH, (event) => this.#fail(event.payload.error));
    try {
      await this.#consumer.connect();
      // From the beginning, since kafkajs' other default would skip what is older than the group.
      await this.#consumer.subscribe({ topics: [topic], fromBeginning: true });
    } catch (error) {
      throw toStreamError(error, `subscribing to ${topic}`);
    }
  }

  async run(handler: BatchHandler, signal: AbortSignal): Promise<void> {
    this.#handler = handler;
    const { promise: aborted, resolve: abort } = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => abort(), { once: true });
    if (signal.aborted) return;
    const joined = this.#consumer
      .run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: 1,
        eachBatch: (payload) => this.#fetched(payload),
      })
      .catch((error: unknown) => this.#fail(error));
    try {
      await Promise.race([aborted, this.#failed.promise]);
      this.#stop();
      await this.#delivering;
      // Still a member, whose heartbeats go on: nobody else begins before this is durable.
      await handler.beforeRejoin(this.#rejoinBudgetMs);
    } finally {
      this.#stop();
      await (this.#left = this.#leave(joined));
    }
  }

  describe(partition: number): Promise<CommittedInfo> {
    return this.#reader.describe(partition);
  }

  logEnd(partition: number): number | undefined {
    return this.#partitions.get(partition)?.end;
  }

  waiting(partition: number): boolean {
    const assigned = this.#partitions.get(partition);
    if (assigned === undefined || assigned.paused) return true;
    return assigned.stableEnd !== undefined && assigned.next >= assigned.stableEnd;
  }

  start(partition: number, offset: number): void {
    if (!this.#silent) this.#partitions.start(partition, offset);
  }

  pause(partition: number): void {
    if (!this.#silent) this.#partitions.pause(partition);
  }

  resume(partition: number): void {
    if (!this.#silent) this.#partitions.resume(partition);
  }

  async commit(
    positions: ReadonlyMap<number, number>,
    notes?: ReadonlyMap<number, string>,
  ): Promise<void> {
    const { topic, log } = this.#options;
    const offsets = this.#partitions.offsets(positions, notes);
    if (offsets.length === 0) return;
    const committing = this.#consumer.commitOffsets(offsets).catch((error: unknown) => {
      const { code } = toStreamError(error, `committing to ${topic}`);
      log.debug({ topic, code }, "offsets not committed");
    });
    const patience = new AbortController();
    await Promise.race([committing, abortableSleep(commitPatienceMs, patience.signal)]);
    patience.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop();
    await (this.#left ?? this.#leave(Promise.resolve()));
  }

  /** Synchronous: kafkajs fetches as soon as this returns, and it must find everything paused. */
  #joined({ payload }: ConsumerGroupJoinEvent): void {
    const { topic, groupId, log } = this.#options;
    if (this.#handler === undefined) return;
    this.#silent = this.#stopped;
    this.#epoch = payload.assignmentEpoch;
    const partitions = [...(payload.memberAssignment[topic] ?? [])].toSorted((a, b) => a - b);
    this.#partitions.assign(partitions);
    if (this.#stopped) return;
    log.info({ topic, groupId, partitions }, "partitions assigned");
    try {
      this.#handler.assigned(partitions);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Awaited by kafkajs before every attempt to join again; what was applied since the assignment is flushed once. */
  async #beforeJoin(): Promise<void> {
    const { topic, groupId, log } = this.#options;
    this.#fallSilent();
    if (this.#stopped || this.#flushedEpoch === this.#epoch) return;
    this.#flushedEpoch = this.#epoch;
    log.info({ topic, groupId }, "group rebalancing");
    try {
      await this.#handler?.beforeRejoin(this.#rejoinBudgetMs);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fallSilent(): void {
    if (this.#silent) return;
    this.#silent = true;
    this.#partitions.pauseAll();
  }

  #stop(): void {
    this.#stopped = true;
    this.#fallSilent();
  }

  /** What kafkajs calls with each fetch. Throws only what kafkajs itself threw: anything else it would retry for ever. */
  async #fetched(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const epoch = this.#epoch;
    const assigned = this.#partitions.get(batch.partition);
    const handler = this.#handler;
    const current = (): boolean => !this.#silent && epoch === this.#epoch;
    if (!current() || batch.raw?.assignmentEpoch !== epoch || handler === undefined) return;
    if (assigned === undefined || !assigned.started || assigned.paused || payload.isStale()) return;
    const beats = heartbeats(() => payload.heartbeat(), this.#heartbeatMs);
    const { compacted } = this.#reader;
    this.#delivering = deliver({ payload, assigned, handler, beats, compacted, current }).then(
      () => this.#pauseIfLater(assigned),
      (error: unknown) => this.#fail(error),
    );
    await this.#delivering;
    if (beats.failure === undefined) return;
    // kafkajs hands out what else it fetched before it joins again; that belongs to whoever gets the partitions next.
    if (rejoinFollows(beats.failure)) this.#fallSilent();
    throw beats.failure;
  }

  /** A handler that said "later" may not have paused; fetching the same batch again and again helps nobody. */
  #pauseIfLater({ partition, paused }: AssignedPartition): void {
    if (paused) this.pause(partition);
  }

  #fail(error: unknown): void {
    this.#failed.reject(toStreamError(error, `reading ${this.#options.topic}`));
    this.#stop();
  }

  /** Leaves the group and disconnects. What kafkajs retries cannot be cancelled and is not waited for very long. */
  async #leave(joined: Promise<void>): Promise<void> {
    const left = joined.then(() => this.#consumer.disconnect()).catch(() => {});
    const patience = new AbortController();
    await Promise.race([left, abortableSleep(leavePatienceMs, patience.signal)]);
    patience.abort();
  }
}
