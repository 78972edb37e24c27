export type CommittedOffset = { readonly offset: number; readonly metadata: string };
export type OffsetEntry = CommittedOffset & { readonly topic: string; readonly partition: number };

/** What changed, for whoever keeps it on disk; `committed` is undefined for a removal. */
export type OffsetChange = {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly committed?: CommittedOffset | undefined;
};

/** Committed offsets of all groups. They never expire. */
export class CommittedOffsets {
  readonly #groups = new Map<string, Map<string, Map<number, CommittedOffset>>>();
  readonly #record: (change: OffsetChange) => void;

  constructor(record: (change: OffsetChange) => void, stored: Iterable<OffsetChange> = []) {
    for (const change of stored) this.#apply(change);
    this.#record = record;
  }

  commit(group: string, topic: string, partition: number, committed: CommittedOffset): void {
    this.#change({ group, topic, partition, committed });
  }

  committed(group: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.#groups.get(group)?.get(topic)?.get(partition);
  }

  has(group: string): boolean {
    return this.#groups.has(group);
  }

  groupIds(): string[] {
    return [...this.#groups.keys()];
  }

  of(group: string): OffsetEntry[] {
    const entries: OffsetEntry[] = [];
    for (const [topic, partitions] of this.#groups.get(group) ?? []) {
      for (const [partition, committed] of partitions)
        entries.push({ topic, partition, ...committed });
    }
    return entries;
  }

  remove(group: string, topic: string, partition: number): void {
    if (this.committed(group, topic, partition) !== undefined)
      this.#change({ group, topic, partition });
  }

  removeGroup(group: string): void {
    for (const { topic, partition } of this.of(group)) this.remove(group, topic, partition);
  }

  /** A deleted topic takes its offsets along: a later topic of the same name starts anew. */
  removeTopic(topic: string): void {
    for (const group of this.groupIds()) {
      for (const entry of this.of(group)) {
        if (entry.topic === topic) this.remove(group, topic, entry.partition);
      }
    }
  }

  #change(change: OffsetChange): void {
    this.#apply(change);
    this.#record(change);
  }

  #apply({ group, topic, partition, committed }: OffsetChange): void {
    const topics = this.#groups.get(group) ?? new Map<string, Map<number, CommittedOffset>>();
    const partitions = topics.get(topic) ?? new Map<number, CommittedOffset>();
    if (committed !== undefined) {
      partitions.set(partition, committed);
      topics.set(topic, partitions);
      this.#groups.set(group, topics);
      return;
    }
    partitions.delete(partition);
    if (partitions.size === 0) topics.delete(topic);
    if (topics.size === 0) this.#groups.delete(group);
  }
}
