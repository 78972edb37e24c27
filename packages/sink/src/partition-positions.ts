import type { CommittedInfo } from "@adstream/kafka/partition-info";
import type { BatchHeader } from "@adstream/kafka/record-batch";

import type { ConsumerOptions } from "./consume-results.ts";
import type { Arrival } from "./intake-queue.ts";
import { expectCanary, startOffset } from "./start-offset.ts";
import { untilAnswered } from "./until-answered.ts";

type Options = Pick<ConsumerOptions, "topic" | "source" | "observer" | "clock" | "random">;
type Reached = Pick<CommittedInfo, "committed" | "note">;

/** Where partitions begin and what has to lie before, and how far each is in the store. */
export class PartitionPositions {
  readonly #options: Options;
  readonly #ended: AbortSignal;
  /** What the first batch of a partition must be, and where the one behind it begins. */
  readonly #expected = new Map<number, { readonly canary: string; readonly offset: number }>();
  /** As this process found it committed, or brought it there; of earlier assignments, too. */
  readonly #reached = new Map<number, Reached>();
  /** Partitions of this assignment that are further than their committed offset. */
  readonly #uncommitted = new Set<number>();
  /** Partitions of this assignment for which the group had no offset. */
  readonly #unknownToGroup = new Set<number>();

  constructor(options: Options, ended: AbortSignal) {
    this.#options = options;
    this.#ended = ended;
  }

  /** Another assignment begins. */
  clear(): void {
    this.#expected.clear();
    this.#uncommitted.clear();
    this.#unknownToGroup.clear();
  }

  /**
   * Asks Kafka where the group stands, however long it does not answer, and starts there.
   * @param current false once the assignment is over
   * @throws {StreamError} RECORDS_EXPIRED, LOG_REPLACED
   */
  async begin(partition: number, current: () => boolean): Promise<void> {
    const { source, observer } = this.#options;
    const describe = async () => (current() ? source.describe(partition) : undefined);
    const info = await untilAnswered(describe, { ...this.#options, signal: this.#ended });
    if (info === undefined || !current()) return;
    const { offset, canary } = startOffset(partition, this.#standing(partition, info));
    observer.started(partition, offset);
    if (canary !== undefined) this.#expected.set(partition, { canary, offset });
    source.start(partition, canary === undefined ? offset : offset - 1);
  }

  /**
   * A topic takes the group's offsets with it when it is deleted, and a group without offsets would begin in the next topic
   * of that name as if nothing had been read: then the last position that is known here has to be there.
   */
  #standing(partition: number, info: CommittedInfo): CommittedInfo {
    const { committed, note } = info;
    if (committed === undefined) {
      this.#unknownToGroup.add(partition);
      return { ...info, ...this.#reached.get(partition) };
    }
    this.#reached.set(partition, note === undefined ? { committed } : { committed, note });
    return info;
  }

  /**
   * The offset a batch is wanted from; the first one, which was read before, is held against its canary.
   * @throws {StreamError} LOG_REPLACED
   */
  wantedFrom(partition: number, header: BatchHeader, fromOffset: number): number {
    const expected = this.#expected.get(partition);
    if (expected === undefined || fromOffset >= expected.offset) return fromOffset;
    expectCanary({ topic: this.#options.topic, partition }, expected.canary, header);
    // Nothing may come behind it for long, and until then the group would know of no offset.
    if (this.#unknownToGroup.has(partition)) this.#uncommitted.add(partition);
    return expected.offset;
  }

  /** A batch behind the canary is in hand. */
  passed(partition: number): void {
    this.#expected.delete(partition);
  }

  /** A batch of this assignment is in the store, or a dead letter, and so is all before it. */
  applied({ partition, nextOffset, canary }: Arrival): void {
    this.#reached.set(partition, { committed: nextOffset, note: canary });
    this.#uncommitted.add(partition);
  }

  /**
   * Commits what was applied since the last time, each offset with the canary of the batch before it. Best effort.
   * @returns false when there was nothing
   */
  async commit(): Promise<boolean> {
    const offsets = new Map<number, number>();
    const canaries = new Map<number, string>();
    for (const partition of this.#uncommitted) {
      const { committed, note } = this.#reached.get(partition) ?? {};
      if (committed !== undefined) offsets.set(partition, committed);
      if (note !== undefined) canaries.set(partition, note);
    }
    this.#uncommitted.clear();
    if (offsets.size > 0) await this.#options.source.commit(offsets, canaries);
    return offsets.size > 0;
  }
}
