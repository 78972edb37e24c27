import type { RecordColumns } from "./columns.ts";
import { foldRows, type PaneRows } from "./fold-rows.ts";
import type { Pane } from "./pane.ts";
import type { EpochMs } from "./window.ts";

/** Where rows of one batch are counted. */
export type Counting = {
  readonly columns: RecordColumns;
  /** The row that others are counted from. */
  readonly first: number;
  /** As for `foldRows`. */
  readonly touchedFrom: number;
};

/** Rows of one pane that are not folded yet. */
type Selection = PaneRows & { pane: Pane | undefined };

/**
 * Accepted rows on their way into their panes.
 *
 * Those of two panes can wait side by side: near the end of a pane events of it and of the next one alternate, and rows are
 * folded together because that costs less.
 */
export class SelectedRows {
  readonly #paneMs: number;
  readonly #sumCount: number;
  readonly #paneAt: (time: EpochMs) => Pane;
  /** Of the pane of the last row, and of the one before it. */
  #current: Selection;
  #before: Selection;
  /** All rows of a run. */
  readonly #every: PaneRows;

  /**
   * @param capacity rows that can wait for one pane
   * @param paneAt the pane of an event time, made where it is not there
   */
  constructor(
    capacity: number,
    { paneMs, sumCount }: { readonly paneMs: number; readonly sumCount: number },
    paneAt: (time: EpochMs) => Pane,
  ) {
    this.#paneMs = paneMs;
    this.#sumCount = sumCount;
    this.#paneAt = paneAt;
    this.#current = { pane: undefined, ...paneRows(capacity) };
    this.#before = { pane: undefined, ...paneRows(capacity) };
    this.#every = paneRows(capacity);
    for (let at = 0; at < capacity; at++) this.#every.rows[at] = at;
  }

  /** Of the last row. */
  get pane(): Pane | undefined {
    return this.#current.pane;
  }

  /** Where the caller says where the cells of the rows of `addRun` begin. */
  get starts(): Int32Array {
    return this.#every.starts;
  }

  /** Adds a row of an event time, by its distance from the first. */
  add(at: number, time: EpochMs, key: number, counting: Counting): void {
    if (!this.#holds(time)) this.#goToPane(time, counting);
    const { pane, count, rows, starts } = this.#current;
    if (pane === undefined) return;
    rows[count] = at;
    starts[count] = pane.obtain(key) * pane.stride;
    this.#current.count = count + 1;
  }

  /** Folds the first `count` rows, none of which was added, and all of which count in the current pane. */
  foldRun(count: number, counting: Counting): void {
    this.#every.count = count;
    this.#fold(this.pane, this.#every, counting);
  }

  /** Folds what was added. */
  fold(counting: Counting): void {
    this.#fold(this.#current.pane, this.#current, counting);
    this.#fold(this.#before.pane, this.#before, counting);
  }

  /** Panes were dropped. */
  forgetPanes(): void {
    this.#current.pane = undefined;
    this.#before.pane = undefined;
  }

  #holds(time: EpochMs): boolean {
    const { pane } = this.#current;
    return pane !== undefined && time >= pane.start && time < pane.start + this.#paneMs;
  }

  #goToPane(time: EpochMs, counting: Counting): void {
    [this.#current, this.#before] = [this.#before, this.#current];
    if (this.#holds(time)) return;
    this.#fold(this.#current.pane, this.#current, counting);
    this.#current.pane = this.#paneAt(time);
  }

  #fold(pane: Pane | undefined, rows: PaneRows, { columns, first, touchedFrom }: Counting): void {
    if (pane === undefined || rows.count === 0) return;
    rows.first = first;
    foldRows(pane, columns, rows, this.#sumCount, touchedFrom);
    rows.count = 0;
  }
}

function paneRows(capacity: number): PaneRows {
  return {
    first: 0,
    count: 0,
    rows: new Int32Array(capacity),
    starts: new Int32Array(capacity),
  };
}
