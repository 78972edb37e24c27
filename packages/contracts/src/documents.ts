import type { Result } from "./result-shape.ts";

/** `_id` of the document of a (window, key), and key of its results: `<window start, ISO>/<key>`. */
export function documentId(windowStartMs: number, key: string): string {
  if (windowStartMs !== lastStart.ms) {
    lastStart = { ms: windowStartMs, text: new Date(windowStartMs).toISOString() };
  }
  return `${lastStart.text}/${key}`;
}

/** Writing a date takes longer than all else about a result, and results come window by window. */
let lastStart = { ms: 0, text: new Date(0).toISOString() };

/** What one source partition contributed to a document: figures of the job beside these. */
export type ResultSlot = Pick<Result, "version" | "status" | "count"> & {
  readonly [figure: string]: string | number | bigint;
};

/** Name of a slot within `slots`; our own, so data never becomes a field name. */
export function slotName(partition: number): `p${number}` {
  return `p${partition}`;
}

/**
 * The document people read: the key and the figures of the job, by their names, beside these. Figures are totals over
 * `slots` in slot order. In MongoDB `version` and `rev` are longs, dates are dates.
 */
export type ResultDocument = {
  readonly _id: string;
  readonly window: { readonly start: Date; readonly end: Date };
  readonly count: number;
  readonly status: Result["status"];
  readonly slots: Readonly<Record<string, ResultSlot>>;
  readonly updated_at: Date;
  /** Revision for the compare-and-set. */
  readonly rev: number;
  readonly [field: string]: unknown;
};
