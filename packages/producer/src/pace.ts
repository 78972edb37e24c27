import type { Gaps } from "@adstream/traffic/arrivals";

export type PaceOptions = {
  readonly gaps: Gaps;
  readonly startMs: number;
  /** Nothing is due from then on; never when left out. */
  readonly endMs?: number;
  /** Credit for at most so much of the schedule: what was missed before that is given up. */
  readonly maxBehindMs: number;
};

export type Pace = {
  /** Due times of the records to send now, oldest first, at most `maxRecords`; each is handed out once. */
  take(nowMs: number, maxRecords: number): number[];
  /** When the next record is due; infinite once there is none. */
  nextMs(): number;
  /** How much of the schedule was given up so far. */
  skippedMs(): number;
};

/**
 * A token bucket over a schedule. Records have due times, so a hiccup delays them without lowering the average rate:
 * what became due meanwhile is handed out at once after it. Times are of any one clock, in ms.
 */
export function openPace(options: PaceOptions): Pace {
  const { gaps, startMs, endMs = Number.POSITIVE_INFINITY, maxBehindMs } = options;
  let dueMs = startMs;
  let skippedMs = 0;
  return {
    take(nowMs, maxRecords) {
      const behindMs = Math.min(nowMs, endMs) - dueMs - maxBehindMs;
      if (behindMs > 0) {
        dueMs += behindMs;
        skippedMs += behindMs;
      }
      const due: number[] = [];
      while (dueMs <= nowMs && dueMs < endMs && due.length < maxRecords) {
        due.push(dueMs);
        dueMs += gaps();
      }
      return due;
    },
    nextMs: () => (dueMs < endMs ? dueMs : Number.POSITIVE_INFINITY),
    skippedMs: () => skippedMs,
  };
}
