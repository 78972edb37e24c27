import type { RecordColumns } from "./columns.ts";
import { cell, type Pane } from "./pane.ts";

/**
 * Accepted rows of one batch that are to be folded into one pane, in the order of the log.
 *
 * They are folded together, one column after the other, by loops over typed arrays that they are handed: less than half
 * the time of a function for each row, which looks up the same arrays again and again.
 */
export class SelectedRows {
  count = 0;
  readonly #rows: Int32Array;
  readonly #keys: Int32Array;
  /** Where in the pane the cells of the rows begin. */
  readonly #starts: Int32Array;

  constructor(capacity: number) {
    this.#rows = new Int32Array(capacity);
    this.#keys = new Int32Array(capacity);
    this.#starts = new Int32Array(capacity);
  }

  add(row: number, key: number): void {
    const at = this.count++;
    this.#rows[at] = row;
    this.#keys[at] = key;
  }

  /** Rows `first` on, which follow each other, with a key each. */
  addAll(first: number, keys: Int32Array, count: number): void {
    const rows = this.#rows;
    const selected = this.#keys;
    const before = this.count;
    for (let at = 0; at < count; at++) {
      rows[before + at] = first + at;
      selected[before + at] = keys[at] ?? 0;
    }
    this.count = before + count;
  }

  /**
   * Folds and forgets the rows.
   * @param sumCount of the columns of values; those behind them are maxima
   * @param touchedFrom cells that were changed by an offset + 1 below it are noted as touched
   */
  foldInto(pane: Pane, columns: RecordColumns, sumCount: number, touchedFrom: number): void {
    const { count } = this;
    const rows = this.#rows;
    const starts = this.#starts;
    findCells(pane, this.#keys, count, starts);
    // Only now: cells may have been added, and moved.
    const { cells } = pane;
    noteRows(pane, cells, starts, rows, count, columns, touchedFrom);
    for (let column = 0; column < columns.values.length; column++) {
      const values = columns.values[column];
      if (values === undefined) continue;
      const fold = column < sumCount ? addRows : raiseRows;
      fold(cells, cell.values + column, starts, rows, count, values);
    }
    this.count = 0;
  }
}

function findCells(pane: Pane, keys: Int32Array, count: number, starts: Int32Array): void {
  const { stride } = pane;
  for (let at = 0; at < count; at++) starts[at] = pane.obtain(keys[at] ?? 0) * stride;
}

/** What every cell has before its sums. */
function noteRows(
  pane: Pane,
  cells: Float64Array,
  starts: Int32Array,
  rows: Int32Array,
  count: number,
  { offset, eventTime, recordTime }: RecordColumns,
  touchedFrom: number,
): void {
  const { stride } = pane;
  for (let at = 0; at < count; at++) {
    const row = rows[at] ?? 0;
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
  starts: Int32Array,
  rows: Int32Array,
  count: number,
  values: Float64Array,
): void {
  for (let at = 0; at < count; at++) {
    const place = (starts[at] ?? 0) + column;
    cells[place] = (cells[place] ?? 0) + (values[rows[at] ?? 0] ?? 0);
  }
}

function raiseRows(
  cells: Float64Array,
  column: number,
  starts: Int32Array,
  rows: Int32Array,
  count: number,
  values: Float64Array,
): void {
  for (let at = 0; at < count; at++) {
    const place = (starts[at] ?? 0) + column;
    cells[place] = Math.max(cells[place] ?? 0, values[rows[at] ?? 0] ?? 0);
  }
}
