import { type Counting, foldRows, type PaneRows } from "./fold-rows.ts";
import type { Pane } from "./pane.ts";
import type { EpochMs } from "./window.ts";

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

  /** Where the caller says where the cells of the rows of `foldRun` begin. */
  get starts(): Int32Array {
    return this.#every.starts;
  }

  /** Adds a row of an event time, by its distance from the first. */
  add(at: number, time: EpochMs, key: number, counting: Counting): void {
    const pane = this.#goToPane(time, counting);
    const { count, rows, starts } = this.#current;
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

  /** Makes the pane of a time the current one. */
  #goToPane(time: EpochMs, counting: Counting): Pane {
    const { pane } = this.#current;
    if (this.#holds(pane, time)) return pane;
    const { pane: before } = this.#before;
    [this.#current, this.#before] = [this.#before, this.#current];
    if (this.#holds(before, time)) return before;
    this.#fold(before, this.#current, counting);
    return (this.#current.pane = this.#paneAt(time));
  }

  #holds(pane: Pane | undefined, time: EpochMs): pane is Pane {
    return pane !== undefined && time >= pane.start && time < pane.start + this.#paneMs;
  }

  #fold(pane: Pane | undefined, rows: PaneRows, counting: Counting): void {
    if (pane === undefined || rows.count === 0) return;
    foldRows(pane, rows, counting, this.#sumCount);
    rows.count = 0;
  }
}

function paneRows(capacity: number): PaneRows {
  return {
    count: 0,
    rows: new Int32Array(capacity),
    starts: new Int32Array(capacity),
  };
}
