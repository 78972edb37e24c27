/**
 * How far event time is complete in one partition: the highest min(event time, record timestamp) of its accepted
 * records, less the delay; or further by a recorded decision.
 *
 * The minimum keeps one fast clock from declaring everybody else late: an event may lie ahead of the log, the
 * watermark never does. A record without a timestamp (-1) counts by its event time.
 */
export type Watermark = {
  readonly delayMs: number;
  /** Highest min(event time, record timestamp), epoch ms; -Infinity before the first record. */
  highest: number;
  /** Advanced to by decision, epoch ms; -Infinity when there was none. */
  decided: number;
};

export function createWatermark(delayMs: number): Watermark {
  return { delayMs, highest: Number.NEGATIVE_INFINITY, decided: Number.NEGATIVE_INFINITY };
}

/** What one record says about completeness, before the delay. */
export function completeness(eventTime: number, recordTime: number): number {
  return recordTime >= 0 && recordTime < eventTime ? recordTime : eventTime;
}

/** Event time up to which the partition is taken as complete. */
export function watermarkTime(watermark: Watermark): number {
  return Math.max(watermark.highest - watermark.delayMs, watermark.decided);
}
