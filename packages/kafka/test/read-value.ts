import type { RecordColumns } from "@adstream/engine/columns";

import type { ByteCursor } from "../src/byte-cursor.ts";
import type { RowsReader } from "../src/value-rows.ts";

/** Reads what lies between the cursor's position and its end into one row. @returns 0, or the number of a reason */
export function readValue(
  read: RowsReader,
  cursor: ByteCursor,
  columns: RecordColumns,
  row: number,
): number {
  columns.unread[row] = cursor.position;
  columns.unreadEnd[row] = cursor.end;
  columns.rejected[row] = 0;
  read(cursor, columns, row, row + 1);
  return columns.rejected[row] ?? -1;
}
