import { type Result, versionParts } from "@adstream/contracts/result-shape";

import type { SourceRecord } from "./intake-queue.ts";

/**
 * The results of one record batch. What says whether one supersedes another is there at once; the results themselves are
 * made when they are asked for, and most of a sink's that is behind never are.
 */
export type ResultRows = {
  readonly count: number;
  /** Of each row the name of its document and slot; whoever has the rows may drop one. */
  readonly names: string[];
  /** Of each row its version (protocol 2.2): the bits from 48 on, signed, and those below. */
  readonly epochs: Int32Array;
  readonly steps: Float64Array;
  /** Memory that the rows keep alive. */
  readonly buffer: ArrayBufferLike | undefined;
  result(row: number): Result;
  /** The records of some rows as they were on the results topic. */
  records(rows: readonly number[]): SourceRecord[];
  /** These rows alone, in memory of their own. */
  copied(rows: readonly number[]): ResultRows;
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
    records: (rows) => rows.map((row) => at(records, row)),
    copied(rows) {
      const { records: copies } = copiedRecords(this.records(rows));
      return decodedRows(
        rows.map((row) => at(results, row)),
        copies,
        keyField,
      );
    },
  };
}

type ReadRecord = (record: SourceRecord) => Result;

/**
 * Some rows in memory of their own, each result of which is made from its record.
 *
 * What such rows are asked by must not be a closure of where `from` is known: it would keep the memory they were copied
 * out of.
 */
export function copiedRows(
  from: ResultRows,
  rows: readonly number[],
  read: ReadRecord,
): ResultRows {
  const columns = {
    count: rows.length,
    names: rows.map((row) => at(from.names, row)),
    epochs: Int32Array.from(rows, (row) => at(from.epochs, row)),
    steps: Float64Array.from(rows, (row) => at(from.steps, row)),
  };
  return ownRows(columns, copiedRecords(from.records(rows)), read);
}

function ownRows(
  columns: Pick<ResultRows, "count" | "names" | "epochs" | "steps">,
  { records, buffer }: { readonly records: readonly SourceRecord[]; readonly buffer: ArrayBuffer },
  read: ReadRecord,
): ResultRows {
  return {
    ...columns,
    buffer,
    result: (row) => read(at(records, row)),
    records: (rows) => rows.map((row) => at(records, row)),
    copied(rows) {
      return copiedRows(this, rows, read);
    },
  };
}

function copiedRecords(records: readonly SourceRecord[]): {
  records: SourceRecord[];
  buffer: ArrayBuffer;
} {
  const sizes = records.map(({ key, value }) => (key?.length ?? 0) + (value?.length ?? 0));
  const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
  let end = 0;
  const copy = (part: Uint8Array | null): Uint8Array | null => {
    if (part === null) return null;
    const start = end;
    end += part.length;
    bytes.set(part, start);
    return bytes.subarray(start, end);
  };
  const copies = records.map((record) => {
    return { ...record, key: copy(record.key), value: copy(record.value) };
  });
  return { records: copies, buffer: bytes.buffer };
}

function at<T>(list: { readonly [row: number]: T; readonly length: number }, row: number): T {
  const one = list[row];
  if (one === undefined) throw new RangeError(`there is no row ${row} among ${list.length}`);
  return one;
}
