import type { Result } from "@adstream/contracts/result-shape";

/** What one written result tells about speed, ms; a figure that says nothing about it is undefined. */
export type Latency = {
  /** From the newest event in the slot to MongoDB. */
  readonly eventToMongoMs: number | undefined;
  /** From the end of the window to MongoDB. */
  readonly windowEndToMongoMs: number | undefined;
};

/**
 * A final result waited for its window to close, which says nothing about how fast events pass; an early or corrected
 * one says nothing about closing.
 */
export function latencyOf(result: Result, nowMs: number): Latency {
  const { status, max_record_time, max_event_time, window_end } = result;
  const newestMs = max_record_time >= 0 ? max_record_time : max_event_time;
  return status === "final"
    ? { eventToMongoMs: undefined, windowEndToMongoMs: Math.max(0, nowMs - window_end) }
    : { eventToMongoMs: Math.max(0, nowMs - newestMs), windowEndToMongoMs: undefined };
}

/** Samples since the last look, bounded by keeping a random choice of them. */
export interface RecentSamples {
  add(value: number): void;
  /** The 99th percentile, and a fresh start; undefined when there was no sample. */
  takeP99(): number | undefined;
}

const maxSamples = 2_048;

export function createRecentSamples(random: () => number): RecentSamples {
  let samples: number[] = [];
  let seen = 0;
  return {
    add(value) {
      seen += 1;
      // Reservoir sampling (Vitter's algorithm R): each of the seen has the same chance to be kept.
      const place = samples.length < maxSamples ? samples.length : Math.floor(random() * seen);
      if (place < maxSamples) samples[place] = value;
    },
    takeP99() {
      const ordered = samples.toSorted((a, b) => a - b);
      samples = [];
      seen = 0;
      return ordered[Math.ceil(ordered.length * 0.99) - 1];
    },
  };
}
