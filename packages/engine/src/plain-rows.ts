import type { RecordColumns } from "./columns.ts";
import { completeness } from "./watermark.ts";
import type { EpochMs } from "./window.ts";
import { isAhead } from "./windowed-job.ts";

/** Where rows that need no closer look lie. */
export type PlainBounds = {
  /** Event times from here, inclusive. */
  readonly from: EpochMs;
  /** Exclusive. */
  readonly to: EpochMs;
  /** How far an event time may lie ahead of the record's own timestamp. */
  readonly maxFutureMs: number;
};

/**
 * How far rows `first` to `end` (exclusive) complete event time, before the delay, when each of them is sound and within
 * the bounds; Infinity when one is not.
 *
 * Nearly all rows of a log are: to see that of many at once takes a fraction of judging each as it is counted.
 */
export function plainCompleteness(
  { rejected, eventTime, recordTime }: RecordColumns,
  first: number,
  end: number,
  { from, to, maxFutureMs }: PlainBounds,
): number {
  let highest = Number.NEGATIVE_INFINITY;
  for (let row = first; row < end; row++) {
    const time = eventTime[row] ?? 0;
    const logged = recordTime[row] ?? -1;
    if (rejected[row] !== 0 || time < from || time >= to) return Infinity;
    if (isAhead(time, logged, maxFutureMs)) return Infinity;
    highest = Math.max(highest, completeness(time, logged));
  }
  return highest;
}
