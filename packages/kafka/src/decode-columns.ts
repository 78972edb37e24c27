import { rejectCode, type RecordColumns, type RejectReason } from "@adstream/engine/columns";

import { beginReading, nextRecord } from "./batch-reading.ts";
import { extendedBytes } from "./byte-cursor.ts";
import type { OpenBatch } from "./record-batch.ts";
import type { EventReader } from "./value-rows.ts";
import { frameBytes, frameSchemaId } from "./wire-format.ts";

/**
 * How events of a schema id are read; a reason when they cannot be.
 *
 * @returns undefined when that is not known yet
 */
export type ReaderLookup = (schemaId: number) => EventReader | RejectReason | undefined;

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
  batch: OpenBatch,
  fromOffset: number,
  columns: RecordColumns,
  readers: ReaderLookup,
  headBytes: number = frameBytes,
): number | undefined {
  const reading = beginReading(batch, fromOffset, columns);
  const { cursor } = reading;
  const { rejected, unread, unreadEnd, recordValueStart, recordValueLength } = columns;
  let known = -1;
  let reader: ReturnType<ReaderLookup>;
  while (nextRecord(reading)) {
    const row = columns.count;
    const schemaId = schemaOf(columns, row, headBytes);
    if (schemaId >= 0 && schemaId !== known) {
      reader = readers(schemaId);
      if (reader === undefined) return schemaId;
      known = schemaId;
    }
    columns.count++;
    if (schemaId < 0) rejected[row] = -schemaId;
    else if (typeof reader === "string") rejected[row] = rejectCode(reader);
    else if (reader !== undefined) {
      const start = recordValueStart[row] ?? 0;
      unread[row] = start + headBytes;
      unreadEnd[row] = start + (recordValueLength[row] ?? 0);
      rejected[row] = 0;
      reader.rows(cursor, columns, row, row + 1);
      reader.records(reading, schemaId);
    }
  }
  columns.bytes = extendedBytes(cursor);
  return undefined;
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
