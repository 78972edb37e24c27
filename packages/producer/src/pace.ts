import type { Gaps } from "@adstream/traffic/arrivals";

export type PaceOptions = {
  readonly gaps: Gaps;
  readonly startMs: number;
  /** Nothing is due from then on; without end when left out. */
  readonly durationMs?: number;
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
  const { gaps, startMs, durationMs = Number.POSITIVE_INFINITY, maxBehindMs } = options;
  // Summed up from 0: the schedule is rounded alike whenever it starts, so that others can draw it again.
  let nextMs = 0;
  let skippedMs = 0;
  return {
    take(nowMs, maxRecords) {
      const passedMs = nowMs - startMs;
      const behindMs = Math.min(passedMs, durationMs) - nextMs - maxBehindMs;
      if (behindMs > 0) {
        nextMs += behindMs;
        skippedMs += behindMs;
      }
      const due: number[] = [];
      while (nextMs <= passedMs && nextMs < durationMs && due.length < maxRecords) {
        due.push(startMs + nextMs);
        nextMs += gaps();
      }
      return due;
    },
    nextMs: () => (nextMs < durationMs ? startMs + nextMs : Number.POSITIVE_INFINITY),
    skippedMs: () => skippedMs,
  };
}
