import type { RecordColumns } from "./columns.ts";

/** A record set aside, with its own copy of the raw bytes; (topic, partition, offset) identifies it for ever. */
export type SetAside = {
  readonly offset: number;
  /** Kafka timestamp of the record, epoch ms, -1 where it has none. */
  readonly recordTime: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Index into `rejectReasons`; 0 for a late record. */
  readonly reason: number;
};

/** Records set aside since they were last taken, in offset order. */
export type DeadLetters = readonly SetAside[];

/** Copies row `row` out of the columns, which are reused for the next batch. */
export function setAside(columns: RecordColumns, row: number, reason: number): SetAside {
  return {
    offset: columns.offset[row] ?? 0,
    recordTime: columns.recordTime[row] ?? -1,
    key: copyRange(
      columns.bytes,
      columns.recordKeyStart[row] ?? 0,
      columns.recordKeyLength[row] ?? -1,
    ),
    value: copyRange(
      columns.bytes,
      columns.recordValueStart[row] ?? 0,
      columns.recordValueLength[row] ?? -1,
    ),
    reason,
  };
}

function copyRange(bytes: Uint8Array, start: number, length: number): Uint8Array | null {
  return length < 0 ? null : Uint8Array.prototype.slice.call(bytes, start, start + length);
}
