import { PartitionLog } from "./log.ts";
import type { SegmentFiles, StoredLog } from "./log.ts";
import { ProducerStates } from "./producers.ts";
import { readHeader } from "./record-batch.ts";
import type { TopicConfigs } from "./topic-configs.ts";

export type Partition = {
  readonly index: number;
  readonly log: PartitionLog;
  readonly producers: ProducerStates;
};

export type Topic = {
  readonly name: string;
  readonly partitions: Partition[];
  configs: TopicConfigs;
};

/** Keeps topics beyond the life of the process. Called after every change of topics, settings or log starts. */
export interface TopicFiles {
  segmentFiles(topic: string, partition: number): SegmentFiles;
  /** What is on disk of a partition; `undefined` for one that is new: remains of an earlier topic are removed. */
  open(topic: string, partition: number, logStart: number | undefined): StoredLog;
  saveTopics(topics: Iterable<Topic>): void;
  removeTopic(topic: Topic): void;
}

/** All topics of the broker. */
export class Topics {
  readonly #topics = new Map<string, Topic>();
  readonly #retentionBytes: number;
  readonly #files: TopicFiles | undefined;

  constructor(retentionBytes: number, files?: TopicFiles) {
    this.#retentionBytes = retentionBytes;
    this.#files = files;
  }

  get(name: string): Topic | undefined {
    return this.#topics.get(name);
  }

  all(): Topic[] {
    return [...this.#topics.values()];
  }

  partition(topic: string, index: number): Partition | undefined {
    return this.#topics.get(topic)?.partitions[index];
  }

  /** The caller has checked that the name is free. */
  create(name: string, partitions: number, configs: TopicConfigs): Topic {
    const topic: Topic = { name, partitions: [], configs };
    this.#topics.set(name, topic);
    this.grow(topic, partitions);
    return topic;
  }

  /** Takes up a topic with what is stored of it, one log start per partition. */
  restore(name: string, logStarts: readonly number[], configs: TopicConfigs): void {
    const partitions = logStarts.map((logStart, index) => this.#open(name, index, logStart));
    this.#topics.set(name, { name, partitions, configs });
  }

  grow(topic: Topic, partitions: number): void {
    for (let index = topic.partitions.length; index < partitions; index++) {
      topic.partitions.push(this.#open(topic.name, index, undefined));
    }
    this.save();
  }

  remove(topic: Topic): void {
    this.#topics.delete(topic.name);
    this.save();
    this.#files?.removeTopic(topic);
    for (const { log } of topic.partitions) log.end();
  }

  /** Call after changing settings or log starts. */
  save(): void {
    this.#files?.saveTopics(this.#topics.values());
  }

  #open(topic: string, index: number, logStart: number | undefined): Partition {
    const stored = this.#files?.open(topic, index, logStart);
    const files = this.#files?.segmentFiles(topic, index);
    const log = new PartitionLog({ retentionBytes: this.#retentionBytes, files }, stored);
    const producers = new ProducerStates();
    for (const batch of log.batches()) {
      const header = readHeader(batch);
      if (header !== undefined) producers.appended(header, header.baseOffset);
    }
    return { index, log, producers };
  }
}

/** Kafka's rule for names; it also keeps them safe as names of directories. */
export function legalTopicName(name: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== "." && name !== "..";
}
