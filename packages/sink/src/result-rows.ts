import { type Result, versionParts } from "@adstream/contracts/result-shape";

import type { SourceRecord } from "./intake-queue.ts";

/**
 * The results of one record batch. What says whether one supersedes another is there at once; the results themselves are
 * made when they are asked for, and most of a sink's that is behind never are.
 */
export type ResultRows = {
  readonly count: number;
  /** Of each row the name of its document and slot. */
  readonly names: readonly string[];
  /** Of each row its version (protocol 2.2): the bits from 48 on, signed, and those below. */
  readonly epochs: Int32Array;
  readonly steps: Float64Array;
  /** Memory that the rows keep alive. */
  readonly buffer: ArrayBufferLike | undefined;
  result(row: number): Result;
  /** As it was on the results topic. */
  record(row: number): SourceRecord;
};

/** Whether row `row` of `rows` has a higher version than row `other` of `others`. */
export function isNewer(rows: ResultRows, row: number, others: ResultRows, other: number): boolean {
  const epochs = (rows.epochs[row] ?? 0) - (others.epochs[other] ?? 0);
  return epochs === 0 ? (rows.steps[row] ?? 0) > (others.steps[other] ?? 0) : epochs > 0;
}

/** Names rows one after the other; most are of the same window and slot as the one before. */
export function rowNames(): (windowStart: number, slot: number, key: string) => string {
  let last = { windowStart: Number.NaN, slot: 0, text: "" };
  return (windowStart, slot, key) => {
    if (windowStart !== last.windowStart || slot !== last.slot) {
      last = { windowStart, slot, text: `${windowStart} ${slot} ` };
    }
    return last.text + key;
  };
}

/** Of results that are decoded already. @param keyField of the job's grouping key */
export function decodedRows(
  results: readonly Result[],
  records: readonly SourceRecord[],
  keyField: string,
): ResultRows {
  const name = rowNames();
  return {
    count: results.length,
    names: results.map(({ window_start: start, slot, [keyField]: key }) =>
      name(start, slot, String(key)),
    ),
    epochs: Int32Array.from(results, ({ version }) => versionParts(version).epoch),
    steps: Float64Array.from(results, ({ version }) => versionParts(version).w),
    buffer: records.find(({ value }) => value !== null)?.value?.buffer,
    result: (row) => at(results, row),
    record: (row) => at(records, row),
  };
}

function at<T>(list: readonly T[], row: number): T {
  const one = list[row];
  if (one === undefined) throw new RangeError(`there is no row ${row} among ${list.length}`);
  return one;
}
