import { type RecordColumns, reserveColumns } from "@adstream/engine/columns";

import { type ByteCursor, createCursor } from "./byte-cursor.ts";
import type { BatchHeader, OpenBatch } from "./record-batch.ts";
import { createFrame, expectBodyEnd, readRecordFrame, recordTime } from "./record-frame.ts";

/** One batch on its way into columns, whose `count` says into which row the next record goes. */
export type BatchReading = {
  readonly header: BatchHeader;
  /** Over the body; where it stands means nothing. */
  readonly cursor: ByteCursor;
  readonly columns: RecordColumns;
  /** Records below it are not wanted. */
  readonly fromOffset: number;
  /** Kafka's timestamp of a record is the first, and so many times its delta. */
  readonly timeOfBatch: number;
  readonly timeScale: 0 | 1;
  /** How many records were read, wanted or not. */
  index: number;
  /** Where in the body the next one begins. */
  start: number;
  /** Of the last one; -1 before the first. */
  offsetDelta: number;
};

/** Empties the columns and makes room in them for the records of a batch. */
export function beginReading(
  { header, body }: OpenBatch,
  fromOffset: number,
  columns: RecordColumns,
): BatchReading {
  reserveColumns(columns, header.recordCount);
  columns.bytes = body;
  columns.count = 0;
  return {
    header,
    cursor: createCursor(body),
    columns,
    fromOffset,
    timeOfBatch: recordTime(header, 0),
    timeScale: header.timestampType === "LogAppendTime" ? 0 : 1,
    index: 0,
    start: 0,
    offsetDelta: -1,
  };
}

/**
 * Reads on to the next record that is wanted, of whatever form, and puts its offset, time, key and value into the next row,
 * which is not counted yet.
 *
 * @returns false at the end of the batch
 * @throws {StreamError} BATCH_CORRUPT
 */
export function nextRecord(reading: BatchReading): boolean {
  const { header, cursor, columns, fromOffset } = reading;
  const frame = createFrame();
  cursor.end = cursor.bytes.length;
  while (reading.index < header.recordCount) {
    frame.offsetDelta = reading.offsetDelta;
    cursor.position = reading.start;
    readRecordFrame(cursor, frame, header);
    reading.index++;
    reading.start = frame.end;
    reading.offsetDelta = frame.offsetDelta;
    const offset = header.baseOffset + frame.offsetDelta;
    if (offset < fromOffset) continue;
    const row = columns.count;
    columns.offset[row] = offset;
    columns.recordTime[row] = recordTime(header, frame.timestampDelta);
    columns.recordKeyStart[row] = frame.keyStart;
    columns.recordKeyLength[row] = frame.keyLength;
    columns.recordValueStart[row] = frame.valueStart;
    columns.recordValueLength[row] = frame.valueLength;
    return true;
  }
  cursor.position = reading.start;
  expectBodyEnd(cursor, header);
  return false;
}
