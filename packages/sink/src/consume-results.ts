import { channel } from "node:diagnostics_channel";
import { StreamError } from "@adstream/engine/errors";
import type { Clock } from "@adstream/engine/ports";
import type { BatchHandler, BatchSource } from "@adstream/kafka/batch-source";
import type { BatchHeader } from "@adstream/kafka/record-batch";

import type { ResultApplier } from "./apply-results.ts";
import type { ApplyOutcome } from "./apply-tally.ts";
import { backoffMs, outageBackoff } from "./backoff.ts";
import { type Bell, createBell } from "./bell.ts";
import {
  type Arrival,
  createIntakeQueue,
  type IntakeQueue,
  isFull,
  type ReadBatch,
  type RefusedRecord,
} from "./intake-queue.ts";
import { refusedRecords } from "./refused-records.ts";
import { PartitionPositions } from "./partition-positions.ts";
import { lingerMs, Rest } from "./rest.ts";
import { batchCanary } from "./start-offset.ts";
import { retriable, untilAnswered } from "./until-answered.ts";

/** What one record batch holds from `fromOffset` on. */
export type ReadResults = (
  partition: number,
  bytes: Uint8Array,
  fromOffset: number,
) => Promise<ReadBatch>;

export type ConsumerOptions = {
  readonly topic: string;
  readonly source: Pick<BatchSource, "run" | "describe" | "start" | "pause" | "resume" | "commit">;
  /** Rejects for retry while the registry does not answer. */
  readonly read: ReadResults;
  readonly applier: ResultApplier;
  /**
   * Publishes what gets into no document; resolves when it is acknowledged.
   * @throws {StreamError} for retry while the brokers do not answer
   */
  readonly deadLetters: (records: readonly RefusedRecord[], signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly random: () => number;
  /** Whether the store is being waited for: a flush cannot succeed then. */
  readonly storeAway: () => boolean;
  readonly observer: ConsumerObserver;
};

export type ConsumerObserver = {
  applied(outcome: ApplyOutcome, arrivals: readonly Arrival[], tookMs: number): void;
  /** Dead letters, published. */
  refused(records: readonly RefusedRecord[]): void;
  assigned(partitions: readonly number[]): void;
  started(partition: number, offset: number): void;
  /** A batch can be read, in time or not; several times while it has to wait. `timestamp` is its highest, epoch ms. */
  offered?(partition: number, nextOffset: number, timestamp: number): void;
  /** Kafka or the registry is waited for. */
  waiting(error: StreamError, delayMs: number): void;
};

/** One bulk: large enough to coalesce the revisions of a busy second, small enough to take a fraction of one. */
const maxBatchResults = 5_000;
const commitEveryMs = 1_000;

/** Milestones of the protocol, see engine/milestones. */
const written = channel("adstream:sink:written");
const committed = channel("adstream:sink:committed");

/**
 * Reads results as a member of a consumer group and applies them until `signal` aborts.
 *
 * Delivery guarantee: at least once. Offsets are committed only behind what the applier has brought into the store, what is
 * a dead letter, or what a result behind the offset supersedes.
 * Back pressure: while the applier waits for the store, one batch and the bounded queue are held, of each slot its newest
 * result; then partitions are paused, and the member stays in its group. So a store that is behind is asked for fewer
 * writes: each document is brought to where the log is, not through all it was on the way.
 *
 * @throws {StreamError} RECORDS_EXPIRED, LOG_REPLACED, DRAIN_CUT_SHORT, and what source and applier throw
 */
export async function consumeResults(options: ConsumerOptions, signal: AbortSignal): Promise<void> {
  const intake = new ResultIntake(options);
  const pumping = intake.pump();
  try {
    await options.source.run(intake, AbortSignal.any([signal, intake.failed]));
  } finally {
    intake.stop();
    await pumping;
  }
  intake.failed.throwIfAborted();
  if (intake.unfinished > 0) {
    const text = `stopped before ${intake.unfinished} results were in MongoDB; the next start reads them again`;
    throw new StreamError("DRAIN_CUT_SHORT", "stop", text);
  }
}

/** Takes batches from the source into a queue, and applies what is in the queue. */
class ResultIntake implements BatchHandler {
  readonly #options: ConsumerOptions;
  readonly #queue: IntakeQueue;
  /** Rings when there is something to apply, and when a batch should wait no longer. */
  readonly #due: Bell;
  /** Rings after every batch. */
  readonly #settled: Bell;
  readonly #failing = new AbortController();
  readonly #stopping = new AbortController();
  readonly #ended = AbortSignal.any([this.#failing.signal, this.#stopping.signal]);
  readonly #positions: PartitionPositions;
  /** Partitions that wait for room in the queue. */
  readonly #crowded = new Set<number>();
  /** Reads in a row that failed, by partition, while the registry is away. */
  readonly #failedReads = new Map<number, number>();
  /** Counts assignments: what began under one means nothing under the next. */
  #assignment = 0;
  /** Results in the applier's hands. */
  #applying = 0;
  #flushing = false;
  #committedAtMs: number;
  readonly #rest = new Rest();

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#due = createBell(options.clock);
    this.#settled = createBell(options.clock);
    this.#committedAtMs = options.clock.nowMs();
    this.#queue = createIntakeQueue();
    this.#positions = new PartitionPositions(options, this.#ended);
  }

  /** Aborted with the error that ends everything. */
  get failed(): AbortSignal {
    return this.#failing.signal;
  }

  /** Results taken in and neither applied nor given up with their assignment. */
  get unfinished(): number {
    return this.#queue.results + this.#applying;
  }

  stop(): void {
    this.#stopping.abort();
    this.#due.ring();
  }

  assigned(partitions: readonly number[]): void {
    this.#assignment += 1;
    this.#queue.clear();
    this.#crowded.clear();
    this.#positions.clear();
    this.#failedReads.clear();
    this.#options.applier.forget();
    this.#options.observer.assigned(partitions);
    for (const partition of partitions) void this.#begin(partition);
  }

  async batch(
    partition: number,
    bytes: Uint8Array,
    header: BatchHeader,
    fromOffset: number,
  ): Promise<"done" | "later"> {
    const mine = this.#assignment;
    const nextOffset = header.baseOffset + header.lastOffsetDelta + 1;
    this.#options.observer.offered?.(partition, nextOffset, header.maxTimestamp);
    if (isFull(this.#queue)) {
      this.#crowded.add(partition);
      this.#options.source.pause(partition);
      return "later";
    }
    const wantedOffset = this.#positions.wantedFrom(partition, header, fromOffset);
    if (wantedOffset >= nextOffset) return "done";
    let read: ReadBatch;
    try {
      read = await this.#options.read(partition, bytes, wantedOffset);
    } catch (error) {
      if (!retriable(error)) throw error;
      void this.#resumeLater(partition, error);
      return "later";
    }
    this.#failedReads.delete(partition);
    if (mine !== this.#assignment) return "later";
    this.#positions.passed(partition);
    const first = this.#queue.arrivals === 0;
    const { maxTimestamp } = header;
    const canary = batchCanary(header);
    this.#queue.add({ partition, nextOffset, canary, maxTimestamp, ...read });
    if (first || this.#queue.results >= maxBatchResults) this.#due.ring();
    return "done";
  }

  atLogEnd(): void {
    // The end of the log changes nothing about when results are written.
  }

  async beforeRejoin(budgetMs: number): Promise<void> {
    const { clock, storeAway } = this.#options;
    const deadlineMs = clock.nowMs() + budgetMs;
    this.#flushing = true;
    this.#due.ring();
    while (this.unfinished > 0 && !storeAway() && !this.#ended.aborted) {
      const leftMs = deadlineMs - clock.nowMs();
      if (leftMs <= 0) break;
      await this.#settled.wait(Math.min(leftMs, lingerMs));
    }
    this.#flushing = false;
    await this.#commit();
  }

  /** Applies and commits until stopped or failed; never rejects. */
  async pump(): Promise<void> {
    const { clock } = this.#options;
    try {
      while (!this.#ended.aborted) {
        if (this.#queue.arrivals === 0) await this.#due.wait(commitEveryMs);
        const { arrivals, results } = this.#queue;
        if (arrivals > 0 && results < maxBatchResults && !this.#flushing) {
          await this.#due.wait(this.#rest.leftMs(clock.nowMs()));
        }
        if (this.#queue.arrivals > 0 && !this.#ended.aborted) await this.#applyNext();
        this.#settled.ring();
        if (clock.nowMs() - this.#committedAtMs >= commitEveryMs) await this.#commit();
      }
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#fail(error);
    }
    this.#settled.ring();
  }

  async #applyNext(): Promise<void> {
    const { applier, clock, observer } = this.#options;
    const mine = this.#assignment;
    const arrivals = this.#queue.take(maxBatchResults);
    const results = arrivals.flatMap((arrival) => arrival.results);
    const startedMs = clock.nowMs();
    this.#applying = results.length;
    const outcome = await applier.apply(results, this.#ended);
    await this.#setAside(refusedRecords(arrivals, outcome.refused, applier.documentId));
    this.#applying = 0;
    written.publish(undefined);
    const tookMs = clock.nowMs() - startedMs;
    this.#rest.worked(startedMs, tookMs);
    observer.applied(outcome, arrivals, tookMs);
    if (mine !== this.#assignment) return;
    for (const arrival of arrivals) this.#positions.applied(arrival);
    this.#makeRoom();
  }

  /** Publishes dead letters, however long the brokers are away; more than once where an acknowledgement is lost. */
  async #setAside(records: readonly RefusedRecord[]): Promise<void> {
    const { deadLetters, observer } = this.#options;
    if (records.length === 0) return;
    const publish = (): Promise<void> => deadLetters(records, this.#ended);
    await untilAnswered(publish, { ...this.#options, signal: this.#ended });
    this.#ended.throwIfAborted();
    observer.refused(records);
  }

  #makeRoom(): void {
    if (isFull(this.#queue, 0.5)) return;
    for (const partition of this.#crowded) this.#options.source.resume(partition);
    this.#crowded.clear();
  }

  async #commit(): Promise<void> {
    this.#committedAtMs = this.#options.clock.nowMs();
    if (await this.#positions.commit()) committed.publish(undefined);
  }

  async #begin(partition: number): Promise<void> {
    const mine = this.#assignment;
    try {
      await this.#positions.begin(partition, () => mine === this.#assignment);
    } catch (error) {
      if (mine === this.#assignment) this.#fail(error);
    }
  }

  async #resumeLater(partition: number, error: StreamError): Promise<void> {
    const { source, clock, random, observer } = this.#options;
    const mine = this.#assignment;
    const attempt = this.#failedReads.get(partition) ?? 0;
    this.#failedReads.set(partition, attempt + 1);
    const delayMs = backoffMs(attempt, outageBackoff, random);
    observer.waiting(error, delayMs);
    source.pause(partition);
    await clock.sleep(delayMs, this.#ended);
    if (mine === this.#assignment) source.resume(partition);
  }

  #fail(error: unknown): void {
    this.#failing.abort(error);
    this.#due.ring();
    this.#settled.ring();
  }
}
