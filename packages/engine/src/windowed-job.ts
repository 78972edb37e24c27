import type { Deduplication } from "./deduplicate.ts";
import type { SlidingWindow } from "./window.ts";

/** What a windowed job computes; part of a checkpoint's identity. */
export type WindowedJob = {
  readonly window: SlidingWindow;
  readonly watermarkDelayMs: number;
  /** How long after its end a window may still be corrected. */
  readonly allowedLatenessMs: number;
  /** How far an event time may lie ahead of the record's own timestamp. */
  readonly maxFutureMs: number;
  /** Value columns that are summed: the first ones. */
  readonly sumCount: number;
  /** Value columns behind them whose highest value is kept. Without it none. */
  readonly maxCount?: number;
  /** Keys a task may hold: at so many, records with others are dead letters. Without it any number. */
  readonly maxKeys?: number | undefined;
  /** Without it every record counts, whatever its event id. */
  readonly deduplicate?: Deduplication;
};

/** Whether an event lies further ahead of its record than allowed; a record without a timestamp (-1) does not tell. */
export function isAhead(eventTime: number, recordTime: number, maxFutureMs: number): boolean {
  return recordTime >= 0 && eventTime > recordTime + maxFutureMs;
}

/** What happens to records that are not counted; `row` points into the columns being applied. */
export type SetAsideRows = {
  dead(row: number, reason: number): void;
  duplicate(row: number): void;
  late(row: number): void;
};
