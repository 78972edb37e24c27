import { adName, type EventChunk } from "./ad-events.ts";
import { Oracle, rowKey, type WindowSums } from "./oracle.ts";
import { type Load, pacedEvents } from "./paced-events.ts";

/** The windows that latency is measured with: 10 s, no overlap, events up to 2 s old. */
export const latencyWindow = { sizeMs: 10_000, delayMs: 2_000 } as const;

/** What a load means for whoever aggregates it. Times are those at which events were due, epoch ms. */
export type WindowTimes = {
  readonly events: number;
  /** `rowKey` -> what a right aggregation finds. */
  readonly expected: ReadonlyMap<string, WindowSums>;
  /** `rowKey` -> when each of its events was due, in the order of the log. */
  readonly dueMs: ReadonlyMap<string, readonly number[]>;
  /** Window start -> when the last of its events was due. */
  readonly lastDueMs: ReadonlyMap<number, number>;
  /** Window start -> partition -> when the event was due whose time closes the window there. */
  readonly closedMs: ReadonlyMap<number, ReadonlyMap<number, number>>;
  /** Starts of the windows that count: from the second to the last but two; the first one warms up. */
  readonly measured: readonly number[];
  readonly partitionOf: (rowKey: string) => number;
};

/** Generates the load once more. @param partitionOf ad -> partition */
export function windowTimes(load: Load, partitionOf: Int32Array): WindowTimes {
  const oracle = new Oracle(load.ads, {
    sizeMs: latencyWindow.sizeMs,
    slideMs: latencyWindow.sizeMs,
  });
  const dueMs = new Map<string, number[]>();
  const lastDueMs = new Map<number, number>();
  const closings = new Closings();
  const partitionOfRow = new Map<string, number>();
  const events = pacedEvents(load);
  let total = 0;
  while (events.nextMs() !== Number.POSITIVE_INFINITY) {
    const chunk: EventChunk = events.take(Number.POSITIVE_INFINITY);
    total += chunk.count;
    oracle.count(chunk);
    for (let row = 0; row < chunk.count; row++) {
      const ad = chunk.ad[row] ?? 0;
      const time = chunk.time[row] ?? 0;
      const due = chunk.logTime[row] ?? 0;
      const partition = partitionOf[ad] ?? 0;
      const startMs = time - (time % latencyWindow.sizeMs);
      const key = rowKey(startMs, adName(ad));
      const list = dueMs.get(key);
      if (list === undefined) {
        dueMs.set(key, [due]);
        partitionOfRow.set(key, partition);
      } else list.push(due);
      lastDueMs.set(startMs, due);
      closings.add(partition, time, due);
    }
  }
  const measured = [...lastDueMs.keys()].toSorted((a, b) => a - b).slice(1, -2);
  return {
    events: total,
    expected: oracle.rows(),
    dueMs,
    lastDueMs,
    closedMs: closings.closedMs,
    measured,
    partitionOf: (key) => partitionOfRow.get(key) ?? 0,
  };
}

/** When the events come that close windows. */
class Closings {
  readonly closedMs = new Map<number, Map<number, number>>();
  readonly #nextEndMs = new Map<number, number>();

  add(partition: number, time: number, due: number): void {
    const { sizeMs, delayMs } = latencyWindow;
    const complete = time - delayMs;
    const nextEnd = this.#nextEndMs.get(partition);
    if (nextEnd !== undefined && complete < nextEnd) return;
    const end = complete - (complete % sizeMs);
    this.#nextEndMs.set(partition, end + sizeMs);
    const start = end - sizeMs;
    const closed = this.closedMs.get(start) ?? new Map<number, number>();
    this.closedMs.set(start, closed.set(partition, due));
  }
}
