import type { RecordColumns } from "./columns.ts";
import { cell, type Pane } from "./pane.ts";

/** Rows that count in one pane, in the order of the log. */
export type PaneRows = {
  /** The row that `rows` count from. */
  first: number;
  count: number;
  readonly rows: Int32Array;
  /** Where in the cells of the pane that of each row begins. */
  readonly starts: Int32Array;
};

/**
 * Folds rows into their cells.
 *
 * One column after the other, by loops over typed arrays that they are handed: less than half the time of a function for
 * each row, which looks up the same arrays again and again.
 *
 * @param sumCount of the columns of values; those behind them are maxima
 * @param touchedFrom cells that were changed by an offset + 1 below it are noted as touched
 */
export function foldRows(
  pane: Pane,
  columns: RecordColumns,
  selected: PaneRows,
  sumCount: number,
  touchedFrom: number,
): void {
  noteRows(pane, columns, selected, touchedFrom);
  for (let column = 0; column < columns.values.length; column++) {
    const values = columns.values[column];
    if (values === undefined) continue;
    const fold = column < sumCount ? addRows : raiseRows;
    fold(pane.cells, cell.values + column, selected, values);
  }
}

/** What every cell has before its sums. */
function noteRows(
  pane: Pane,
  { offset, eventTime, recordTime }: RecordColumns,
  { first, count, rows, starts }: PaneRows,
  touchedFrom: number,
): void {
  const { cells, stride } = pane;
  for (let at = 0; at < count; at++) {
    const row = first + (rows[at] ?? 0);
    const start = starts[at] ?? 0;
    if ((cells[start + cell.changed] ?? 0) < touchedFrom) pane.touch(start / stride);
    cells[start] = (cells[start] ?? 0) + 1;
    cells[start + cell.changed] = (offset[row] ?? 0) + 1;
    const time = eventTime[row] ?? 0;
    if (time > (cells[start + cell.maxEventTime] ?? 0)) cells[start + cell.maxEventTime] = time;
    const logged = recordTime[row] ?? -1;
    if (logged > (cells[start + cell.maxRecordTime] ?? 0)) {
      cells[start + cell.maxRecordTime] = logged;
    }
  }
}

function addRows(
  cells: Float64Array,
  column: number,
  { first, count, rows, starts }: PaneRows,
  values: Float64Array,
): void {
  for (let at = 0; at < count; at++) {
    const place = (starts[at] ?? 0) + column;
    cells[place] = (cells[place] ?? 0) + (values[first + (rows[at] ?? 0)] ?? 0);
  }
}

function raiseRows(
  cells: Float64Array,
  column: number,
  { first, count, rows, starts }: PaneRows,
  values: Float64Array,
): void {
  for (let at = 0; at < count; at++) {
    const place = (starts[at] ?? 0) + column;
    cells[place] = Math.max(cells[place] ?? 0, values[first + (rows[at] ?? 0)] ?? 0);
  }
}
