import { StreamError } from "@adstream/engine/errors";
import type { Clock, PartitionInfo } from "@adstream/engine/ports";
import type { BatchHandler, BatchSource } from "@adstream/kafka/batch-source";
import type { BatchHeader } from "@adstream/kafka/record-batch";

import type { ResultApplier } from "./apply-results.ts";
import type { ApplyOutcome } from "./apply-tally.ts";
import { backoffMs, outageBackoff } from "./backoff.ts";
import { type Bell, createBell } from "./bell.ts";
import { type Arrival, createIntakeQueue } from "./intake-queue.ts";
import { startOffset } from "./start-offset.ts";

/** Results of one record batch, from `fromOffset` on. Records that are no results are left out, and counted elsewhere. */
export type ReadResults = (
  partition: number,
  bytes: Uint8Array,
  fromOffset: number,
) => Promise<Arrival["results"]>;

export type ConsumerOptions = {
  readonly source: Pick<BatchSource, "run" | "describe" | "start" | "pause" | "resume" | "commit">;
  /** Rejects for retry while the registry does not answer. */
  readonly read: ReadResults;
  readonly applier: ResultApplier;
  readonly clock: Clock;
  readonly random: () => number;
  /** Whether the store is being waited for: a flush cannot succeed then. */
  readonly storeAway: () => boolean;
  readonly observer: ConsumerObserver;
};

export type ConsumerObserver = {
  applied(outcome: ApplyOutcome, arrivals: readonly Arrival[], tookMs: number): void;
  assigned(partitions: readonly number[]): void;
  started(partition: number, offset: number): void;
  /** Kafka or the registry is waited for. */
  waiting(error: StreamError, delayMs: number): void;
};

/** One bulk: large enough to coalesce the revisions of a busy second, small enough to take a fraction of one. */
const maxBatchResults = 5_000;
/** How long a batch may wait for more. */
const lingerMs = 50;
/** Above this no more is read; 300 bytes each. */
const maxQueuedResults = 20_000;
const commitEveryMs = 1_000;

/**
 * Reads results as a member of a consumer group and applies them until `signal` aborts.
 *
 * Delivery guarantee: at least once. Offsets are committed only behind what the applier has brought into the store.
 * Back pressure: while the applier waits for the store, one batch and the bounded queue are held; then partitions are
 * paused, and the member stays in its group.
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
  readonly #queue = createIntakeQueue();
  /** Rings when there is something to apply, and when a batch should wait no longer. */
  readonly #due: Bell;
  /** Rings after every batch. */
  readonly #settled: Bell;
  readonly #failing = new AbortController();
  readonly #stopping = new AbortController();
  readonly #ended = AbortSignal.any([this.#failing.signal, this.#stopping.signal]);
  /** Partitions that wait for room in the queue. */
  readonly #crowded = new Set<number>();
  /** Applied and not committed yet. */
  readonly #positions = new Map<number, number>();
  /** Reads in a row that failed, by partition, while the registry is away. */
  readonly #failedReads = new Map<number, number>();
  /** Counts assignments: what began under one means nothing under the next. */
  #assignment = 0;
  /** Results in the applier's hands. */
  #applying = 0;
  #flushing = false;
  #committedAtMs: number;

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#due = createBell(options.clock);
    this.#settled = createBell(options.clock);
    this.#committedAtMs = options.clock.nowMs();
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
    if (this.#queue.results >= maxQueuedResults) {
      this.#crowded.add(partition);
      this.#options.source.pause(partition);
      return "later";
    }
    let results: Arrival["results"];
    try {
      results = await this.#options.read(partition, bytes, fromOffset);
    } catch (error) {
      if (!retriable(error)) throw error;
      void this.#resumeLater(partition, error);
      return "later";
    }
    this.#failedReads.delete(partition);
    if (mine !== this.#assignment) return "later";
    const nextOffset = header.baseOffset + header.lastOffsetDelta + 1;
    const first = this.#queue.arrivals === 0;
    this.#queue.add({ partition, nextOffset, maxTimestamp: header.maxTimestamp, results });
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
        else if (this.#queue.results < maxBatchResults && !this.#flushing) {
          await this.#due.wait(lingerMs);
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
    this.#applying = 0;
    observer.applied(outcome, arrivals, clock.nowMs() - startedMs);
    if (mine !== this.#assignment) return;
    for (const { partition, nextOffset } of arrivals) this.#positions.set(partition, nextOffset);
    this.#makeRoom();
  }

  #makeRoom(): void {
    if (this.#queue.results >= maxQueuedResults / 2) return;
    for (const partition of this.#crowded) this.#options.source.resume(partition);
    this.#crowded.clear();
  }

  async #commit(): Promise<void> {
    this.#committedAtMs = this.#options.clock.nowMs();
    if (this.#positions.size === 0) return;
    const reached = new Map(this.#positions);
    this.#positions.clear();
    await this.#options.source.commit(reached);
  }

  async #begin(partition: number): Promise<void> {
    const { source, observer } = this.#options;
    const mine = this.#assignment;
    try {
      const info = await this.#describe(partition, mine);
      if (info === undefined) return;
      const offset = startOffset(partition, info);
      observer.started(partition, offset);
      source.start(partition, offset);
    } catch (error) {
      if (mine === this.#assignment) this.#fail(error);
    }
  }

  /** undefined when the assignment was over before Kafka answered. */
  async #describe(partition: number, mine: number): Promise<PartitionInfo | undefined> {
    const { source, clock, random, observer } = this.#options;
    for (let attempt = 0; mine === this.#assignment && !this.#ended.aborted; attempt++) {
      try {
        const info = await source.describe(partition);
        return mine === this.#assignment ? info : undefined;
      } catch (error) {
        if (!retriable(error)) throw error;
        const delayMs = backoffMs(attempt, outageBackoff, random);
        observer.waiting(error, delayMs);
        await clock.sleep(delayMs, this.#ended);
      }
    }
    return undefined;
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

function retriable(error: unknown): error is StreamError {
  return error instanceof StreamError && error.disposition === "retry";
}
