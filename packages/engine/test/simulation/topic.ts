import { StreamError } from "../../src/errors.ts";
import type { PartitionInfo } from "../../src/ports.ts";
import type { World } from "./world.ts";

/** One partition: every entry that ever was, of which the first are gone once retention passed them. */
export type PartitionLog<Entry> = {
  entries: Entry[];
  /** First offset that is still there. */
  low: number;
};

/** A topic of the simulated broker. The offset of an entry is its index. */
export class Topic<Entry> {
  readonly name: string;
  readonly partitions: PartitionLog<Entry>[];
  clusterId = "simulated";
  readonly committed = new Map<number, number>();
  readonly #world: World;
  #awayUntilMs = 0;

  constructor(world: World, name: string, partitions: number) {
    this.#world = world;
    this.name = name;
    this.partitions = Array.from({ length: partitions }, () => ({ entries: [], low: 0 }));
  }

  low(partition: number): number {
    return this.partitions[partition]?.low ?? 0;
  }

  high(partition: number): number {
    return this.partitions[partition]?.entries.length ?? 0;
  }

  append(partition: number, entry: Entry): void {
    if (this.#world.nowMs < this.#awayUntilMs) return;
    this.partitions[partition]?.entries.push(entry);
  }

  /** Kafka only ever adds partitions. */
  grow(): void {
    this.partitions.push({ entries: [], low: 0 });
  }

  /** Deletes it and makes it again: for a while it is not there, and then it is empty. */
  recreate(forMs: number, clusterId: string): void {
    this.#awayUntilMs = this.#world.nowMs + forMs;
    this.clusterId = clusterId;
    for (const partition of this.partitions) Object.assign(partition, { entries: [], low: 0 });
    this.committed.clear();
  }

  /** @throws {StreamError} SERVER_UNAVAILABLE while it does not exist */
  describe(partition: number): PartitionInfo {
    this.checkThere();
    return {
      clusterId: this.clusterId,
      topic: this.name,
      partitions: this.partitions.length,
      low: this.low(partition),
      high: this.high(partition),
      committed: this.committed.get(partition),
    };
  }

  checkThere(): void {
    if (this.#world.nowMs >= this.#awayUntilMs) return;
    throw new StreamError("SERVER_UNAVAILABLE", "retry", `${this.name} has no leader`);
  }
}
