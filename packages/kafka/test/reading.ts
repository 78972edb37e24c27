import { openBatchSource, type BatchHandler, type BatchSource } from "@adstream/kafka/batch-source";
import type { BatchSourceOptions } from "@adstream/kafka/batch-source";

import type { Fixture } from "./broker-fixture.ts";

/** A source that is being read, and what its handler saw. */
export type Reading = AsyncDisposable & {
  readonly source: BatchSource;
  /** "0:100-199" for a batch of partition 0, with "@150" where records from 150 on are wanted. */
  readonly batches: string[];
  /** "0@200" for each proof of a log end. */
  readonly ends: string[];
  readonly assignments: number[][];
  /** Rejects when the source fails. */
  readonly running: Promise<void>;
  stop(): Promise<void>;
};

export type ReadOptions = Partial<BatchSourceOptions> & Partial<BatchHandler>;

/** Opens and runs a source whose handler starts every partition at its low watermark, unless told otherwise. */
export async function read(
  fixture: Fixture,
  topic: string,
  options: ReadOptions = {},
): Promise<Reading> {
  const { kafka, log } = fixture;
  const sessionTimeoutMs = 8_000;
  const source = await openBatchSource({
    kafka,
    log,
    topic,
    groupId: topic,
    sessionTimeoutMs,
    ...options,
  });
  const batches: string[] = [];
  const ends: string[] = [];
  const assignments: number[][] = [];
  const stop = new AbortController();
  const startAtLow = async (partition: number): Promise<void> => {
    try {
      const { low } = await source.describe(partition);
      source.start(partition, low);
    } catch (error) {
      // A test that ends while partitions are divided closes the connection that is asked.
      if (!stop.signal.aborted) throw error;
    }
  };
  const handler: BatchHandler = {
    assigned(partitions) {
      assignments.push([...partitions]);
      if (options.assigned !== undefined) return options.assigned(partitions);
      for (const one of partitions) void startAtLow(one);
    },
    async batch(partition, bytes, header, fromOffset) {
      const { baseOffset, lastOffsetDelta } = header;
      const wanted = fromOffset > baseOffset ? `@${fromOffset}` : "";
      const outcome = await options.batch?.(partition, bytes, header, fromOffset);
      const later = outcome === "later" ? " later" : "";
      batches.push(`${partition}:${baseOffset}-${baseOffset + lastOffsetDelta}${wanted}${later}`);
      return outcome ?? "done";
    },
    atLogEnd: (partition, nextOffset) => ends.push(`${partition}@${nextOffset}`),
    beforeRejoin: (budgetMs) => options.beforeRejoin?.(budgetMs) ?? Promise.resolve(),
  };
  const running = source.run(handler, stop.signal);
  running.catch(() => {});
  return {
    source,
    batches,
    ends,
    assignments,
    running,
    stop() {
      stop.abort();
      return running;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.allSettled([running]);
      await source[Symbol.asyncDispose]();
    },
  };
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
