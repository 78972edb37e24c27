import type { RecordColumns } from "@adstream/engine/columns";

import { beginReading, nextRecord } from "./batch-reading.ts";
import { compileRecords } from "./compiled-loops.ts";
import type { BatchHeader } from "./record-batch.ts";

const usualFrames = compileRecords([], () => {}, { framed: false, unfinished: false });

/**
 * Fills the columns of offset, time, key and value with the records at or after `fromOffset`.
 *
 * @returns how many there are
 * @throws {StreamError} BATCH_CORRUPT
 */
export function readFrames(
  body: Uint8Array,
  header: BatchHeader,
  fromOffset: number,
  columns: RecordColumns,
): number {
  const reading = beginReading({ header, body }, fromOffset, columns);
  for (;;) {
    usualFrames(reading, 0, []);
    if (!nextRecord(reading)) return columns.count;
    columns.count++;
  }
}
