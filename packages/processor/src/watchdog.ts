import type { ReadPosition } from "@adstream/engine/stall-watch";
import type { Task } from "@adstream/engine/task";
import { newestLogEnd } from "@adstream/kafka/log-end";
import type { DecodedLogSource } from "@adstream/kafka/log-source";

/** Where the tasks of this process stand, for the watchdog: records that are applied are behind them. */
export function readPositions(
  tasks: readonly { readonly task: Pick<Task, "partition" | "nextOffset"> }[],
  source: Pick<DecodedLogSource, "describe" | "logEnd" | "waiting">,
): Promise<ReadPosition[]> {
  return Promise.all(
    tasks.map(async ({ task }) => {
      const { partition } = task;
      const end = await newestLogEnd(source, partition);
      const { nextOffset } = task;
      const lagRecords = end === undefined ? null : Math.max(0, end - nextOffset);
      return { partition, nextOffset, lagRecords, paused: source.waiting(partition) };
    }),
  );
}
