import {
  rejectCode,
  reserveColumns,
  type RecordColumns,
  type RejectReason,
} from "@adstream/engine/columns";

import { createCursor, extendedBytes } from "./byte-cursor.ts";
import { readFrames } from "./frame-columns.ts";
import type { OpenBatch } from "./record-batch.ts";
import type { RowsReader } from "./value-rows.ts";
import { frameBytes, frameSchemaId } from "./wire-format.ts";

/**
 * How values of a schema id are read; a reason when they cannot be.
 *
 * @returns undefined when that is not known yet
 */
export type ReaderLookup = (schemaId: number) => RowsReader | RejectReason | undefined;

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
  columns.count = readFrames(body, header, fromOffset, columns);
  const cursor = createCursor(body);
  for (let row = 0; row < columns.count;) {
    const schemaId = schemaOf(columns, row, headBytes);
    if (schemaId < 0) {
      columns.rejected[row++] = -schemaId;
      continue;
    }
    const reader = readers(schemaId);
    if (reader === undefined) {
      columns.count = row;
      return schemaId;
    }
    const to = endOfRun(columns, cursor.view, row, schemaId, headBytes);
    if (typeof reader === "function") reader(cursor, columns, row, to);
    else rejectRun(columns, row, to, rejectCode(reader));
    row = to;
  }
  columns.bytes = extendedBytes(cursor);
  return undefined;
}

/** Makes rows ready to be read, from `from` up to the first one of another schema: that one is returned. */
function endOfRun(
  columns: RecordColumns,
  view: DataView,
  from: number,
  schemaId: number,
  headBytes: number,
): number {
  const { bytes, count, rejected, unread, unreadEnd, recordValueStart, recordValueLength } =
    columns;
  for (let row = from; row < count; row++) {
    const start = recordValueStart[row] ?? 0;
    const length = recordValueLength[row] ?? 0;
    unread[row] = start + headBytes;
    unreadEnd[row] = start + length;
    rejected[row] = 0;
    // The same frame as before it, which costs two loads to see.
    const same =
      length >= frameBytes &&
      headBytes === frameBytes &&
      bytes[start] === 0 &&
      view.getUint32(start + 1) === schemaId;
    if (same) continue;
    const found = schemaOf(columns, row, headBytes);
    if (found < 0) rejected[row] = -found;
    else if (found !== schemaId) return row;
  }
  return count;
}

/** Or minus the number of a reason. */
function schemaOf(
  { bytes, recordValueStart, recordValueLength }: RecordColumns,
  row: number,
  headBytes: number,
): number {
  const length = recordValueLength[row] ?? -1;
  if (length < 0) return -nullValue;
  return headBytes === 0 ? unframed : frameSchemaId(bytes, recordValueStart[row] ?? 0, length);
}

function rejectRun({ rejected }: RecordColumns, from: number, to: number, reason: number): void {
  for (let row = from; row < to; row++) if (rejected[row] === 0) rejected[row] = reason;
}
