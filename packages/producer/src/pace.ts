import type { Arrivals } from "./arrivals.ts";

export type PaceOptions = {
  readonly arrivals: Arrivals;
  readonly startMs: number;
  /** Credit for at most so much of the schedule: what was missed before that is given up. */
  readonly maxBehindMs: number;
};

export type Pace = {
  /** Due times of the records to send now, oldest first, at most `maxRecords`; each is handed out once. */
  take(nowMs: number, maxRecords: number): number[];
  /** When the next record is due. */
  nextMs(): number;
  /** How much of the schedule was given up so far. */
  skippedMs(): number;
};

/**
 * A token bucket over a schedule. Records have due times, so a hiccup delays them without lowering the average rate:
 * what became due meanwhile is handed out at once after it. Times are of any one clock, in ms.
 */
export function openPace({ arrivals, startMs, maxBehindMs }: PaceOptions): Pace {
  let dueMs = startMs;
  let skippedMs = 0;
  return {
    take(nowMs, maxRecords) {
      const behindMs = nowMs - dueMs - maxBehindMs;
      if (behindMs > 0) {
        dueMs += behindMs;
        skippedMs += behindMs;
      }
      const due: number[] = [];
      while (dueMs <= nowMs && due.length < maxRecords) {
        due.push(dueMs);
        dueMs += arrivals.next().value;
      }
      return due;
    },
    nextMs: () => dueMs,
    skippedMs: () => skippedMs,
  };
}
