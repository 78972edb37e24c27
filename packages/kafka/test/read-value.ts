import { createColumns, type RecordColumns } from "@adstream/engine/columns";
import { expect } from "vitest";

import type { ByteCursor } from "../src/byte-cursor.ts";
import { decodeColumns } from "../src/decode-columns.ts";
import { openBatch } from "../src/record-batch.ts";
import type { EventReader } from "../src/value-rows.ts";
import { frame } from "../src/wire-format.ts";
import { encodeBatch } from "./encode-batch.ts";

/** Of an id that is not read. */
const untouched = 999;

/**
 * Reads what lies between the cursor's position and its end into one row, and once more as a record behind others, which
 * has to come to the same.
 *
 * @returns 0, or the number of a reason
 */
export function readValue(
  reader: EventReader,
  cursor: ByteCursor,
  columns: RecordColumns,
  row: number,
): number {
  const datum = cursor.bytes.slice(cursor.position, cursor.end);
  const { rejected, unread, unreadEnd, idLength } = columns;
  const idBefore = idLength[row];
  unread[row] = cursor.position;
  unreadEnd[row] = cursor.end;
  rejected[row] = 0;
  idLength[row] = untouched;
  reader.rows(cursor, columns, row, row + 1);
  const again = readRecords(reader, datum, columns.values.length);
  expect(rowOf(again, 1)).toEqual(rowOf({ ...columns, bytes: cursor.bytes }, row));
  if (idLength[row] === untouched) idLength[row] = idBefore ?? 0;
  return rejected[row] ?? -1;
}

function readRecords(reader: EventReader, datum: Uint8Array, valueCount: number): RecordColumns {
  const value = frame(7, datum);
  const records = [0, 1].map((offset) => ({ offset, value }));
  const columns = createColumns(valueCount, 2);
  columns.idLength.fill(untouched);
  const batch = openBatch(encodeBatch({ records }));
  expect(decodeColumns(batch, 0, columns, () => reader)).toBeUndefined();
  expect(columns.count).toBe(2);
  return columns;
}

/** Of a rejected row nothing else means anything. */
function rowOf(columns: RecordColumns, row: number): unknown {
  const { bytes, rejected, keyStart, keyLength, idStart, idLength, eventTime, values } = columns;
  if (rejected[row] !== 0) return rejected[row];
  const part = (starts: Int32Array, lengths: Int32Array): string => {
    const start = starts[row] ?? 0;
    return Buffer.from(bytes.subarray(start, start + (lengths[row] ?? 0))).toString("hex");
  };
  return {
    key: part(keyStart, keyLength),
    id: idLength[row] === untouched ? undefined : part(idStart, idLength),
    eventTime: eventTime[row],
    values: values.map((column) => column[row]),
  };
}
