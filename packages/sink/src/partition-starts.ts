import type { BatchHeader } from "@adstream/kafka/record-batch";

import type { ConsumerOptions } from "./consume-results.ts";
import { expectCanary, startOffset } from "./start-offset.ts";
import { untilAnswered } from "./until-answered.ts";

type Options = Pick<ConsumerOptions, "topic" | "source" | "observer" | "clock" | "random">;

/** Where the partitions of an assignment begin, and what has to lie before. */
export class PartitionStarts {
  readonly #options: Options;
  readonly #ended: AbortSignal;
  /** What the first batch of a partition must be, and where the one behind it begins. */
  readonly #expected = new Map<number, { readonly canary: string; readonly offset: number }>();

  constructor(options: Options, ended: AbortSignal) {
    this.#options = options;
    this.#ended = ended;
  }

  clear(): void {
    this.#expected.clear();
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
    const { offset, canary } = startOffset(partition, info);
    observer.started(partition, offset);
    if (canary !== undefined) this.#expected.set(partition, { canary, offset });
    source.start(partition, canary === undefined ? offset : offset - 1);
  }

  /**
   * The offset a batch is wanted from; the first one, which was read before, is held against its canary.
   * @throws {StreamError} LOG_REPLACED
   */
  wantedFrom(partition: number, header: BatchHeader, fromOffset: number): number {
    const expected = this.#expected.get(partition);
    if (expected === undefined || fromOffset >= expected.offset) return fromOffset;
    expectCanary({ topic: this.#options.topic, partition }, expected.canary, header);
    return expected.offset;
  }

  /** A batch behind the canary is in hand. */
  passed(partition: number): void {
    this.#expected.delete(partition);
  }
}
