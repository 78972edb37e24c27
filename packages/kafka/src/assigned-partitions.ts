import type { Consumer, TopicPartitionOffsetAndMetadata } from "kafkajs";

import { clockSteps } from "./clock-steps.ts";
import { watchFetches } from "./fetch-watch.ts";
import type { Log } from "./kafkajs-log.ts";
import type { BatchHeader } from "./record-batch.ts";

/** One partition of the present assignment, as its reader sees it. */
export type AssignedPartition = {
  readonly partition: number;
  /** Next offset wanted; means nothing before `started`. */
  next: number;
  /** Next offset to be written, as the last fetch said; undefined before the first one. */
  end: number | undefined;
  /** Where the first open transaction begins, as the last fetch said; undefined where there is none. */
  stableEnd: number | undefined;
  started: boolean;
  paused: boolean;
  /** The batch before `next`, told by its content; undefined before the first one, and where logs are compacted. */
  last: BatchMark | undefined;
  /** The batch before `next` is read once more from there, and has to be the one it was. */
  recheck: { readonly offset: number; readonly mark: BatchMark } | undefined;
  /** @throws {StreamError} CLOCK_STEPPED_BACK */
  readonly checkClock: () => void;
  /** Counts starts and resumes: a batch that was offered before one of them is out of date. */
  starts: number;
  resumes: number;
};

/** Tells a batch from any other that could lie at its place. */
export type BatchMark = Pick<BatchHeader, "baseOffset" | "crc">;

/** The present assignment, and what kafkajs is told about it. Calls about other partitions do nothing. */
export class AssignedPartitions {
  readonly #consumer: Consumer;
  readonly #topic: string;
  readonly #log: Log;
  #partitions = new Map<number, AssignedPartition>();

  constructor(consumer: Consumer, topic: string, log: Log) {
    this.#consumer = consumer;
    this.#topic = topic;
    this.#log = log;
    watchFetches(consumer, () => this.#recheckAll());
  }

  get(partition: number): AssignedPartition | undefined {
    return this.#partitions.get(partition);
  }

  /** What to commit of `positions`, with the notes beside them. */
  offsets(
    positions: ReadonlyMap<number, number>,
    notes?: ReadonlyMap<number, string>,
  ): TopicPartitionOffsetAndMetadata[] {
    const topic = this.#topic;
    const mine = [...positions].filter(([partition]) => this.#partitions.has(partition));
    return mine.map(([partition, next]) => {
      return { topic, partition, offset: String(next), metadata: notes?.get(partition) ?? null };
    });
  }

  /** Replaces the assignment. All of it is paused when this returns. */
  assign(partitions: readonly number[]): void {
    this.#partitions = new Map(partitions.map((one) => [one, assignedPartition(one)]));
    this.pauseAll();
  }

  /** Fetches nothing more, without a trace in what the reader asked for. */
  pauseAll(): void {
    this.#setPaused([...this.#partitions.keys()], true);
  }

  start(partition: number, offset: number): void {
    const assigned = this.#partitions.get(partition);
    // A seek of a partition that is not ours would wait inside of kafkajs and fire at a later assignment.
    if (assigned === undefined) return;
    const unchecked = { last: undefined, recheck: undefined };
    Object.assign(assigned, { next: offset, started: true, paused: false, ...unchecked });
    assigned.starts++;
    const topic = this.#topic;
    this.#whileMember(() => this.#consumer.seek({ topic, partition, offset: String(offset) }));
    this.#setPaused([partition], false);
  }

  /** Before a fetch that follows a failed one. */
  #recheckAll(): void {
    for (const assigned of this.#partitions.values()) this.#recheck(assigned);
  }

  /**
   * Has the batch before the position read once more: a topic that was deleted and made again goes on at any offset that the
   * new one has, without an error (K5). Whoever fetches all the time has a fetch that fails in between; whoever does not
   * may have missed it.
   */
  #recheck(assigned: AssignedPartition): void {
    const topic = this.#topic;
    const { partition, next, last, started } = assigned;
    if (!started || last === undefined) return;
    assigned.recheck = { offset: next - 1, mark: last };
    this.#whileMember(() => this.#consumer.seek({ topic, partition, offset: String(next - 1) }));
  }

  pause(partition: number): void {
    const assigned = this.#partitions.get(partition);
    if (assigned === undefined) return;
    assigned.paused = true;
    this.#setPaused([partition], true);
  }

  resume(partition: number): void {
    const assigned = this.#partitions.get(partition);
    if (assigned === undefined) return;
    if (assigned.paused) this.#recheck(assigned);
    assigned.paused = false;
    assigned.resumes++;
    if (assigned.started) this.#setPaused([partition], false);
  }

  #setPaused(partitions: readonly number[], paused: boolean): void {
    if (partitions.length === 0) return;
    const topics = [{ topic: this.#topic, partitions: [...partitions] }];
    this.#whileMember(() =>
      paused ? this.#consumer.pause(topics) : this.#consumer.resume(topics),
    );
  }

  /** kafkajs throws when its group is gone: it has crashed, and the event that says so is on its way. */
  #whileMember(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#log.debug({ reason: String(error) }, "kafka client has left its group");
    }
  }
}

function assignedPartition(partition: number): AssignedPartition {
  const counts = { starts: 0, resumes: 0, checkClock: clockSteps() };
  return {
    partition,
    next: 0,
    end: undefined,
    stableEnd: undefined,
    started: false,
    paused: false,
    last: undefined,
    recheck: undefined,
    ...counts,
  };
}
