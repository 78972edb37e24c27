import {
  rejectCode,
  reserveColumns,
  type RecordColumns,
  type RejectReason,
} from "@adstream/engine/columns";

import { createCursor, extendedBytes } from "./byte-cursor.ts";
import type { ColumnReader } from "./event-projection.ts";
import type { OpenBatch } from "./record-batch.ts";
import { createFrame, expectBodyEnd, readRecordFrame, recordTime } from "./record-frame.ts";
import { frameBytes, frameSchemaId } from "./wire-format.ts";

/**
 * How values of a schema id are read; a reason when they cannot be.
 *
 * @returns undefined when that is not known yet
 */
export type ReaderLookup = (schemaId: number) => ColumnReader | RejectReason | undefined;

/** Stands in for the schema id where values have no frame. */
const unframed = 0;
const nullValue = rejectCode("null value");

/**
 * Fills the columns with the batch's records at or after `fromOffset`: in place, without allocating per record.
 * `columns.bytes` begins with the body of the batch afterwards. A record that cannot be read is a rejected row, with the
 * positions of its raw key and value.
 *
 * @param headBytes before each value: Confluent's frame, or 0 for values that have none
 * @returns the schema id whose reader is needed to go on: the columns then hold the records before it, and the call
 *   is to be repeated from the start once the reader is known. undefined when the batch is complete
 * @throws {StreamError} BATCH_CORRUPT
 */
export function decodeColumns(
  { header, body }: OpenBatch,
  fromOffset: number,
  columns: RecordColumns,
  readers: ReaderLookup,
  headBytes: number = frameBytes,
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
    // Or minus the number of a reason.
    const schemaId =
      frame.valueLength < 0
        ? -nullValue
        : headBytes === 0
          ? unframed
          : frameSchemaId(body, frame.valueStart, frame.valueLength);
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
    value.position = frame.valueStart + headBytes;
    value.end = frame.valueStart + frame.valueLength;
    value.fault = 0;
    columns.rejected[row] = typeof reader === "number" ? reader : reader(value, columns, row);
    row++;
  }
  expectBodyEnd(cursor, header);
  columns.bytes = extendedBytes(value);
  columns.count = row;
  return undefined;
}
