import { cell, type Pane } from "./pane.ts";
import {
  appendResult,
  createResults,
  fewRows,
  type ResultColumns,
  resultStatuses,
} from "./results.ts";
import type { WindowedJob } from "./windowed-job.ts";
import type { KeyDictionary } from "./key-dictionary.ts";
import type { EpochMs } from "./window.ts";

/** Numbers of statuses in `ResultColumns.status`. */
export const early: number = resultStatuses.indexOf("early");
export const final: number = resultStatuses.indexOf("final");
export const corrected: number = resultStatuses.indexOf("corrected");

/** Rows; a megabyte of columns. A window that closes with more grows them as it goes. */
const mostRoom = 8_192;

type WindowState = {
  readonly keys: KeyDictionary;
  readonly panes: ReadonlyMap<EpochMs, Pane>;
};

/** Turns panes into result rows and keeps them until they are taken. */
export class WindowResults {
  columns: ResultColumns;
  readonly #job: WindowedJob;
  readonly #paneMs: number;
  /** Key id -> number of the window pass that has its row already. */
  #seen = new Uint32Array(64);
  #pass = 0;

  constructor(job: WindowedJob, paneMs: number) {
    this.#job = job;
    this.#paneMs = paneMs;
    this.columns = createResults(job.sumCount, job.maxCount);
  }

  /** A row for each key of a window that closes, all with the version of what closed it. */
  addAll(start: EpochMs, state: WindowState, status: number, version: number): void {
    const panes = this.#panesOf(start, state);
    this.#beginPass(state.keys.count);
    for (const pane of panes) {
      for (let index = 0; index < pane.count; index++) {
        const key = pane.keys[index] ?? 0;
        if (this.#firstSeen(key)) this.#add(start, state.keys, key, panes, status, version);
      }
    }
  }

  /**
   * A row for each key of a window with a cell touched since `touchedFrom`, unless its last change is not after
   * `closedAt`: then the row it got at closing says the same.
   */
  addTouched(
    start: EpochMs,
    state: WindowState,
    status: number,
    touchedFrom: number,
    closedAt: number,
  ): void {
    const panes = this.#panesOf(start, state);
    this.#beginPass(state.keys.count);
    for (const pane of panes) {
      for (let at = 0; at < pane.touchedCount; at++) {
        const key = pane.keys[pane.touched[at] ?? 0] ?? 0;
        if (!this.#firstSeen(key)) continue;
        const changed = lastChange(panes, key);
        if (changed < touchedFrom || 2 * changed <= closedAt) continue;
        this.#add(start, state.keys, key, panes, status, 2 * changed);
      }
    }
  }

  /**
   * A row for each key of a window as it stands: early while the window is open, else as it closed at `closedAt` or was
   * corrected since.
   */
  addStanding(start: EpochMs, state: WindowState, closedAt: number | undefined): void {
    const panes = this.#panesOf(start, state);
    this.#beginPass(state.keys.count);
    for (const pane of panes) {
      for (let index = 0; index < pane.count; index++) {
        const key = pane.keys[index] ?? 0;
        if (!this.#firstSeen(key)) continue;
        const changed = 2 * lastChange(panes, key);
        const [status, version] =
          closedAt === undefined
            ? [early, changed]
            : changed > closedAt
              ? [corrected, changed]
              : [final, closedAt];
        this.#add(start, state.keys, key, panes, status, version);
      }
    }
  }

  /** The rows so far; the next ones go into new columns, with room for as many: one beat is like the one before. */
  take(): ResultColumns {
    const taken = this.columns;
    const { sumCount, maxCount } = this.#job;
    this.columns = createResults(sumCount, maxCount, roomAfter(taken.count));
    return taken;
  }

  #panesOf(start: EpochMs, state: WindowState): Pane[] {
    const panes: Pane[] = [];
    for (let at = start; at < start + this.#job.window.sizeMs; at += this.#paneMs) {
      const pane = state.panes.get(at);
      if (pane !== undefined) panes.push(pane);
    }
    return panes;
  }

  #beginPass(keyCount: number): void {
    if (keyCount > this.#seen.length || this.#pass === 0xffff_ffff) {
      this.#seen = new Uint32Array(Math.max(keyCount, this.#seen.length * 2));
      this.#pass = 0;
    }
    this.#pass++;
  }

  #firstSeen(key: number): boolean {
    if (this.#seen[key] === this.#pass) return false;
    this.#seen[key] = this.#pass;
    return true;
  }

  #add(
    start: EpochMs,
    keys: KeyDictionary,
    key: number,
    panes: readonly Pane[],
    status: number,
    version: number,
  ): void {
    const { columns } = this;
    const row = appendResult(columns, keys.bytes, keys.start(key), keys.end(key));
    columns.windowStart[row] = start;
    columns.windowEnd[row] = start + this.#job.window.sizeMs;
    columns.status[row] = status;
    columns.version[row] = version;
    columns.maxEventTime[row] = Number.NEGATIVE_INFINITY;
    columns.maxRecordTime[row] = -1;
    for (const column of columns.maxima) column[row] = Number.NEGATIVE_INFINITY;
    for (const pane of panes) {
      const index = pane.find(key);
      if (index >= 0) addCell(columns, row, pane, index * pane.stride);
    }
  }
}

/** Columns that turn out too short are copied, again and again. */
function roomAfter(rows: number): number {
  return rows <= fewRows ? fewRows : Math.min(rows + (rows >>> 2), mostRoom);
}

function lastChange(panes: readonly Pane[], key: number): number {
  let changed = 0;
  for (const pane of panes) {
    const index = pane.find(key);
    if (index < 0) continue;
    changed = Math.max(changed, pane.cells[index * pane.stride + cell.changed] ?? 0);
  }
  return changed;
}

function addCell(columns: ResultColumns, row: number, pane: Pane, base: number): void {
  const { cells } = pane;
  columns.records[row] = (columns.records[row] ?? 0) + (cells[base + cell.records] ?? 0);
  const time = cells[base + cell.maxEventTime] ?? 0;
  if (time > (columns.maxEventTime[row] ?? 0)) columns.maxEventTime[row] = time;
  const logged = cells[base + cell.maxRecordTime] ?? -1;
  if (logged > (columns.maxRecordTime[row] ?? -1)) columns.maxRecordTime[row] = logged;
  let at = base + cell.values;
  for (const column of columns.sums) column[row] = (column[row] ?? 0) + (cells[at++] ?? 0);
  for (const column of columns.maxima) column[row] = Math.max(column[row] ?? 0, cells[at++] ?? 0);
}
