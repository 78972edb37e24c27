import type { Consumer } from "kafkajs";

import type { Log } from "./kafkajs-log.ts";

/** One partition of the present assignment, as its reader sees it. */
export type AssignedPartition = {
  readonly partition: number;
  /** Next offset wanted; means nothing before `started`. */
  next: number;
  /** Next offset to be written, as the last fetch said; undefined before the first one. */
  end: number | undefined;
  started: boolean;
  paused: boolean;
  /** Counts starts and resumes: a batch that was offered before one of them is out of date. */
  starts: number;
  resumes: number;
};

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
  }

  get(partition: number): AssignedPartition | undefined {
    return this.#partitions.get(partition);
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
    Object.assign(assigned, { next: offset, started: true, paused: false });
    assigned.starts++;
    const topic = this.#topic;
    this.#whileMember(() => this.#consumer.seek({ topic, partition, offset: String(offset) }));
    this.#setPaused([partition], false);
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
  const counts = { starts: 0, resumes: 0 };
  return { partition, next: 0, end: undefined, started: false, paused: false, ...counts };
}
