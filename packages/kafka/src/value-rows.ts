import type { RecordColumns } from "@adstream/engine/columns";

import type { ByteCursor } from "./byte-cursor.ts";

/**
 * Reads something of the values of the rows [from, to), from where `columns.unread` says. Rejected rows are passed over;
 * a row whose value cannot be read is rejected, so that whatever reads on passes it over.
 *
 * A field of all rows, then the next field of all rows: what a loop does is one thing, and rows do not wait for each
 * other as the fields of one row do, of which each begins where the one before it ends.
 */
export type RowsReader = (
  cursor: ByteCursor,
  columns: RecordColumns,
  from: number,
  to: number,
) => void;

/**
 * Reads one field of one row, at the cursor.
 *
 * @returns 0, or the number of the reason why the record is rejected
 */
export type ColumnReader = (cursor: ByteCursor, columns: RecordColumns, row: number) => number;

/** A field, of one row and of many. */
export type FieldReader = { readonly row: ColumnReader; readonly rows: RowsReader };

export function rowByRow(row: ColumnReader): FieldReader {
  return { row, rows: eachRow(row) };
}

/** A field that is read rarely enough: the compiler cannot put `read` into this loop, which serves all such fields. */
export function eachRow(read: ColumnReader): RowsReader {
  return (cursor, columns, from, to) => {
    for (let row = from; row < to; row++) {
      if (columns.rejected[row] === 0) readRow(cursor, columns, row, read);
    }
  };
}

/** Reads one field of a row that is not rejected, and rejects it for what `read` says or the cursor's fault. */
export function readRow(
  cursor: ByteCursor,
  columns: RecordColumns,
  row: number,
  read: ColumnReader,
): void {
  cursor.position = columns.unread[row] ?? 0;
  cursor.end = columns.unreadEnd[row] ?? 0;
  const rejected = read(cursor, columns, row);
  columns.unread[row] = cursor.position;
  // What a faulty cursor returns may look out of range: its fault comes first.
  columns.rejected[row] = cursor.fault === 0 ? rejected : cursor.fault;
  cursor.fault = 0;
}
