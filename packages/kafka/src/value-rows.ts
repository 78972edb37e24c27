import type { RecordColumns } from "@adstream/engine/columns";

import type { BatchReading } from "./batch-reading.ts";
import type { ByteCursor } from "./byte-cursor.ts";

/**
 * Reads something of the values of the rows [from, to), from where `columns.unread` says. Rejected rows are passed over;
 * a row whose value cannot be read is rejected, so that whatever reads on passes it over.
 */
export type RowsReader = (
  cursor: ByteCursor,
  columns: RecordColumns,
  from: number,
  to: number,
) => void;

/** How events of one schema, or of one form, are read. */
export type EventReader = {
  /** Of rows whose frames are read. */
  readonly rows: RowsReader;
  /**
   * Reads records on, with their frames, as long as these are usual and the values begin with the schema's id; not one,
   * maybe. The others are left to `nextRecord` and `rows`.
   */
  readonly records: (reading: BatchReading, schemaId: number) => void;
};

/**
 * Reads one field of one row, at the cursor.
 *
 * @returns 0, or the number of the reason why the record is rejected
 */
export type ColumnReader = (cursor: ByteCursor, columns: RecordColumns, row: number) => number;

/** How a field is read, whatever form its values have. */
export type FieldReader = {
  /** Knows all forms, and says what is wrong. */
  readonly row: ColumnReader;
  /** Without it every value is left to `row`. */
  readonly usual?: UsualForm;
};

/** The form that nearly every value of a field has. */
export type UsualForm = {
  /** What `read` writes to, two columns at most. */
  columnsOf(columns: RecordColumns): readonly Column[];
  readonly read: UsualReader;
};

export type Column = Int32Array | Float64Array;

/**
 * Reads a value that begins at `at` and writes it to its row. Takes all it needs as arguments and is short, so that the
 * compiler puts it into the loops over rows and records (`compiled-loops.ts`).
 *
 * @param end of all values of the row
 * @returns where the value ends; -1: it is not of the usual form, which says nothing about whether it is sound
 */
export type UsualReader = (
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  row: number,
  first: Column,
  second: Column,
) => number;

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
