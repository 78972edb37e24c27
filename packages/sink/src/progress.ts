import type { BatchSource } from "@adstream/kafka/batch-source";

import type { Arrival } from "./intake-queue.ts";

/** How far behind the log the sink is. */
export type Lag = {
  /** Records in the log that are not in MongoDB; undefined before every partition has begun. */
  readonly records: number | undefined;
  /** Age of the newest record in MongoDB where there are others behind it; 0 at the log end. */
  readonly seconds: number;
};

/** Positions of the present assignment. */
export interface Progress {
  assigned(partitions: readonly number[]): void;
  started(partition: number, offset: number): void;
  applied(arrivals: readonly Arrival[]): void;
  /** @throws {StreamError} what `describe` throws */
  lag(describe: BatchSource["describe"], nowMs: number): Promise<Lag>;
}

type Position = { next: number; timestamp: number };

export function createProgress(): Progress {
  let positions = new Map<number, Position | undefined>();
  return {
    assigned(partitions) {
      positions = new Map(partitions.map((partition) => [partition, undefined]));
    },
    started(partition, offset) {
      positions.set(partition, { next: offset, timestamp: -1 });
    },
    applied(arrivals) {
      for (const { partition, nextOffset, maxTimestamp } of arrivals) {
        if (!positions.has(partition)) continue;
        positions.set(partition, { next: nextOffset, timestamp: maxTimestamp });
      }
    },
    async lag(describe, nowMs) {
      const mine = positions;
      const highs = await Promise.all(
        [...mine.keys()].map(async (partition) => ({
          partition,
          high: (await describe(partition)).high,
        })),
      );
      let records: number | undefined = 0;
      let seconds = 0;
      for (const { partition, high } of highs) {
        const position = mine.get(partition);
        if (position === undefined) {
          records = undefined;
          continue;
        }
        const behind = Math.max(0, high - position.next);
        if (records !== undefined) records += behind;
        if (behind > 0 && position.timestamp >= 0) {
          seconds = Math.max(seconds, (nowMs - position.timestamp) / 1_000);
        }
      }
      return { records, seconds };
    },
  };
}
