import { copyBytes } from "./copy-bytes.ts";

/** Never renumber: results on the wire are named, but checkpoints and tests hold the numbers. */
export const resultStatuses = ["early", "final", "corrected"] as const;
export type ResultStatus = (typeof resultStatuses)[number];

/**
 * Results of one task as columns, one row per (key, window) slot. Rows own their key bytes, so the task may go on
 * while they are being published.
 *
 * Growable and append only; `count` rows are valid.
 */
export type ResultColumns = {
  count: number;
  keyBytes: Uint8Array;
  /** Row i's key is `keyBytes[keyEnd[i - 1] ?? 0 .. keyEnd[i])`. */
  keyEnd: Int32Array;
  /** Epoch ms. */
  windowStart: Float64Array;
  windowEnd: Float64Array;
  /** w of protocol 2.2: 2 * (offset + 1) of the record that last changed or closed the slot, 2n + 1 for a decision. */
  version: Float64Array;
  /** Index into `resultStatuses`. */
  status: Uint8Array;
  /** Records in the slot. */
  records: Float64Array;
  /** Highest event time and highest Kafka timestamp among them, epoch ms. */
  maxEventTime: Float64Array;
  maxRecordTime: Float64Array;
  /** One column per sum, in the order of the job's sums. */
  sums: Float64Array[];
  /** One column per maximum, likewise; in a row without records they mean nothing. */
  maxima: Float64Array[];
};

/** Columns of up to 64 bytes cost no buffer of their own, and most beats have no more to say. */
export const fewRows = 8;

export function createResults(sumCount: number, maxCount = 0, capacity = fewRows): ResultColumns {
  return {
    count: 0,
    keyBytes: new Uint8Array(capacity * 16),
    keyEnd: new Int32Array(capacity),
    windowStart: new Float64Array(capacity),
    windowEnd: new Float64Array(capacity),
    version: new Float64Array(capacity),
    status: new Uint8Array(capacity),
    records: new Float64Array(capacity),
    maxEventTime: new Float64Array(capacity),
    maxRecordTime: new Float64Array(capacity),
    sums: Array.from({ length: sumCount }, () => new Float64Array(capacity)),
    maxima: Array.from({ length: maxCount }, () => new Float64Array(capacity)),
  };
}

/** Where the key of row `row` begins in `keyBytes`. */
export function keyStartOf(results: ResultColumns, row: number): number {
  return row === 0 ? 0 : (results.keyEnd[row - 1] ?? 0);
}

/** Bytes of row `row`'s key, a view. */
export function resultKey(results: ResultColumns, row: number): Uint8Array {
  return results.keyBytes.subarray(keyStartOf(results, row), results.keyEnd[row]);
}

/**
 * Appends a row with the key `bytes[start .. end)` and returns its index; the caller fills the other columns of that row.
 */
export function appendResult(
  results: ResultColumns,
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
): number {
  const row = results.count;
  if (row === results.keyEnd.length) growRows(results);
  const keyStart = keyStartOf(results, row);
  const keyEnd = keyStart + end - start;
  if (keyEnd > results.keyBytes.length) {
    const grown = new Uint8Array(Math.max(keyEnd, results.keyBytes.length * 2));
    grown.set(results.keyBytes);
    results.keyBytes = grown;
  }
  results.keyEnd[row] = copyBytes(bytes, start, end, results.keyBytes, keyStart);
  results.count = row + 1;
  return row;
}

function growRows(results: ResultColumns): void {
  const rows = Math.max(64, results.keyEnd.length * 2);
  const larger = createResults(results.sums.length, results.maxima.length, rows);
  larger.keyEnd.set(results.keyEnd);
  larger.windowStart.set(results.windowStart);
  larger.windowEnd.set(results.windowEnd);
  larger.version.set(results.version);
  larger.status.set(results.status);
  larger.records.set(results.records);
  larger.maxEventTime.set(results.maxEventTime);
  larger.maxRecordTime.set(results.maxRecordTime);
  for (const [index, column] of results.sums.entries()) larger.sums[index]?.set(column);
  for (const [index, column] of results.maxima.entries()) larger.maxima[index]?.set(column);
  Object.assign(results, { ...larger, count: results.count, keyBytes: results.keyBytes });
}
