import {
  rejectCode,
  reserveColumns,
  type RecordColumns,
  type RejectReason,
} from "@adstream/engine/columns";

import { createCursor, type ByteCursor } from "./byte-cursor.ts";
import type { ColumnReader } from "./event-projection.ts";
import type { OpenBatch } from "./record-batch.ts";
import {
  createFrame,
  expectBodyEnd,
  readRecordFrame,
  recordTime,
  type RecordFrame,
} from "./record-frame.ts";
import { frameBytes, frameSchemaId } from "./wire-format.ts";

/**
 * How values of a schema id are read; a reason when they cannot be.
 *
 * @returns undefined when that is not known yet
 */
export type ReaderLookup = (schemaId: number) => ColumnReader | RejectReason | undefined;

const nullValue = rejectCode("null value");

/**
 * Fills the columns with the batch's records at or after `fromOffset`: in place, without allocating per record.
 * `columns.bytes` is the body of the batch afterwards. A record that cannot be read is a rejected row, with the
 * positions of its raw key and value.
 *
 * @returns the schema id whose reader is needed to go on: the columns then hold the records before it, and the call
 *   is to be repeated from the start once the reader is known. undefined when the batch is complete
 * @throws {StreamError} BATCH_CORRUPT
 */
export function decodeColumns(
  { header, body }: OpenBatch,
  fromOffset: number,
  columns: RecordColumns,
  readers: ReaderLookup,
): number | undefined {
  reserveColumns(columns, header.recordCount);
  columns.bytes = body;
  columns.count = 0;
  const cursor = createCursor(body);
  const value = createCursor(body);
  const frame = createFrame();
  let row = 0;
  let knownSchemaId = -1;
  let reader: ColumnReader | number = 0;
  for (let index = 0; index < header.recordCount; index++) {
    readRecordFrame(cursor, frame, header);
    cursor.position = frame.end;
    const offset = header.baseOffset + frame.offsetDelta;
    if (offset < fromOffset) continue;
    columns.offset[row] = offset;
    columns.recordTime[row] = recordTime(header, frame.timestampDelta);
    columns.recordKeyStart[row] = frame.keyStart;
    columns.recordKeyLength[row] = frame.keyLength;
    columns.recordValueStart[row] = frame.valueStart;
    columns.recordValueLength[row] = frame.valueLength;
    const schemaId =
      frame.valueLength < 0 ? -nullValue : frameSchemaId(body, frame.valueStart, frame.valueLength);
    if (schemaId < 0) {
      columns.rejected[row++] = -schemaId;
      continue;
    }
    if (schemaId !== knownSchemaId) {
      const found = readers(schemaId);
      if (found === undefined) {
        columns.count = row;
        return schemaId;
      }
      knownSchemaId = schemaId;
      reader = typeof found === "function" ? found : rejectCode(found);
    }
    columns.rejected[row] =
      typeof reader === "number" ? reader : readValue(reader, value, frame, columns, row);
    row++;
  }
  expectBodyEnd(cursor, header);
  columns.count = row;
  return undefined;
}

function readValue(
  reader: ColumnReader,
  cursor: ByteCursor,
  frame: RecordFrame,
  columns: RecordColumns,
  row: number,
): number {
  cursor.position = frame.valueStart + frameBytes;
  cursor.end = frame.valueStart + frame.valueLength;
  cursor.fault = 0;
  return reader(cursor, columns, row);
}
