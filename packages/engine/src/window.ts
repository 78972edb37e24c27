import assert from "node:assert/strict";

/** Milliseconds since the epoch; any integer, negative ones included. */
export type EpochMs = number;

/**
 * Half-open windows `[start, start + sizeMs)`, one every `slideMs`, aligned to the epoch (Kafka Streams: hopping;
 * Spark and Flink: sliding). `slideMs` = `sizeMs` is tumbling.
 *
 * 12:00:20 is in [11:59:30, 12:00:30) and [12:00:00, 12:01:00) for 60 s / 30 s; 12:00:30 is not in the first.
 */
export type SlidingWindow = { readonly sizeMs: number; readonly slideMs: number };

/** @throws {AssertionError} unless both are whole milliseconds and 0 < slide <= size: a longer slide would leave gaps */
export function slidingWindow(sizeMs: number, slideMs: number): SlidingWindow {
  assert(Number.isSafeInteger(sizeMs) && Number.isSafeInteger(slideMs), "window in whole ms");
  assert(slideMs > 0 && slideMs <= sizeMs, "0 < slide <= size");
  return { sizeMs, slideMs };
}

/** Length of the slices that neighbouring windows share: every window is a whole number of panes. */
export function paneLength({ sizeMs, slideMs }: SlidingWindow): number {
  let [a, b] = [sizeMs, slideMs];
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

/** Start of the newest window that holds `time`. */
export function newestWindowStart(time: EpochMs, { slideMs }: SlidingWindow): EpochMs {
  return Math.floor(time / slideMs) * slideMs;
}

/** Starts of the windows that hold `time`, oldest first; `ceil(sizeMs / slideMs)` at most. */
export function windowStarts(time: EpochMs, window: SlidingWindow): EpochMs[] {
  const starts: EpochMs[] = [];
  const newest = newestWindowStart(time, window);
  for (let start = newest; start + window.sizeMs > time; start -= window.slideMs)
    starts.push(start);
  return starts.toReversed();
}

/** End of the first window that ends after `time`. */
export function nextWindowEnd(time: EpochMs, { sizeMs, slideMs }: SlidingWindow): EpochMs {
  return (Math.floor((time - sizeMs) / slideMs) + 1) * slideMs + sizeMs;
}
