import type { Clock } from "@adstream/engine/ports";
import { type ReadPosition, watchForStalls } from "@adstream/engine/stall-watch";
import type { BatchSource } from "@adstream/kafka/batch-source";
import { newestLogEnd } from "@adstream/kafka/log-end";

import type { Report } from "./report.ts";

export type Watched = {
  readonly source: Pick<BatchSource, "describe" | "logEnd" | "waiting">;
  readonly report: Pick<Report, "positions" | "storeAway">;
  readonly clock: Clock;
};

/** Reports a partition that stands still although MongoDB answers; ends with its disposal. */
export function watchdog(watched: Watched, onStall: (error: unknown) => void): Disposable {
  const ended = new AbortController();
  const positions = (): Promise<ReadPosition[]> => resultPositions(watched);
  watchForStalls({ clock: watched.clock, positions }, ended.signal).catch(onStall);
  return { [Symbol.dispose]: () => ended.abort() };
}

/** Results that were read and wait for MongoDB are still to be read: only what is written counts. */
export function resultPositions({
  source,
  report,
}: Omit<Watched, "clock">): Promise<ReadPosition[]> {
  return Promise.all(
    [...report.positions()].map(async ([partition, nextOffset]) => {
      const end = await newestLogEnd(source, partition);
      const lagRecords = end === undefined ? null : Math.max(0, end - nextOffset);
      const paused = report.storeAway() || source.waiting(partition);
      return { partition, nextOffset, lagRecords, paused };
    }),
  );
}
