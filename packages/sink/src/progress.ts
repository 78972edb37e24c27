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
  /** A batch up to `nextOffset` can be read; `timestamp` is its highest, epoch ms. */
  offered(partition: number, nextOffset: number, timestamp: number): void;
  applied(arrivals: readonly Arrival[]): void;
  /** Next offset of each partition that has begun: what lies before it is in MongoDB. */
  positions(): ReadonlyMap<number, number>;
  /** @throws {StreamError} what `describe` throws */
  lag(describe: BatchSource["describe"], nowMs: number): Promise<Lag>;
  /** Age of the oldest batch that is not in MongoDB, of each partition that has begun; 0 where there is none. */
  oldestWaitingMs(nowMs: number): ReadonlyMap<number, number>;
}

/** `waiting`: batches on offer that are not in MongoDB, oldest first; as many as the intake queue bounds. */
type Position = { next: number; timestamp: number; waiting: Waiting[] };
type Waiting = { readonly nextOffset: number; readonly timestamp: number };

export function createProgress(): Progress {
  let positions = new Map<number, Position | undefined>();
  return {
    assigned(partitions) {
      positions = new Map(partitions.map((partition) => [partition, undefined]));
    },
    started(partition, offset) {
      positions.set(partition, { next: offset, timestamp: -1, waiting: [] });
    },
    offered(partition, nextOffset, timestamp) {
      const position = positions.get(partition);
      if (position === undefined) return;
      const known = position.waiting.at(-1)?.nextOffset ?? position.next;
      if (nextOffset > known) position.waiting.push({ nextOffset, timestamp });
    },
    applied(arrivals) {
      for (const { partition, nextOffset, maxTimestamp } of arrivals) {
        if (!positions.has(partition)) continue;
        const waiting = positions.get(partition)?.waiting ?? [];
        while ((waiting[0]?.nextOffset ?? Infinity) <= nextOffset) waiting.shift();
        positions.set(partition, { next: nextOffset, timestamp: maxTimestamp, waiting });
      }
    },
    positions() {
      const begun = new Map<number, number>();
      for (const [partition, position] of positions) {
        if (position !== undefined) begun.set(partition, position.next);
      }
      return begun;
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
    oldestWaitingMs(nowMs) {
      const ages = new Map<number, number>();
      for (const [partition, position] of positions) {
        if (position === undefined) continue;
        const { timestamp = -1 } = position.waiting[0] ?? {};
        ages.set(partition, timestamp < 0 ? 0 : Math.max(0, nowMs - timestamp));
      }
      return ages;
    },
  };
}
