import { type RecordColumns, rejectCode } from "./columns.ts";
import type { Deduplicator } from "./deduplicate.ts";
import type { Counting } from "./fold-rows.ts";
import { KeyDictionary, refusedKey, viewOf } from "./key-dictionary.ts";
import { aheadRows, LookAhead } from "./look-ahead.ts";
import { blankCell, Pane } from "./pane.ts";
import { plainCompleteness } from "./plain-rows.ts";
import { reclaimKeys } from "./reclaim-keys.ts";
import type { ResultColumns } from "./results.ts";
import { SelectedRows } from "./selected-rows.ts";
import { completeness, createWatermark, type Watermark, watermarkTime } from "./watermark.ts";
import { type EpochMs, newestWindowStart, nextWindowEnd, paneLength } from "./window.ts";
import { isFilled, isTouched, windowsOf } from "./pane-windows.ts";
import { corrected, early, final, WindowResults } from "./window-results.ts";
import { isAhead, type SetAsideRows, type WindowedJob } from "./windowed-job.ts";

const aheadOfRecord = rejectCode("event time ahead of the record");
const tooManyKeys = rejectCode("too many keys");

/**
 * Sums and maxima per key over sliding event-time windows of one partition.
 *
 * State after a record is a function of the records before it and of the recorded decisions, whatever the batching:
 * lateness and closing are judged record by record. A record is folded into one pane; a window is the sum of its panes,
 * oldest first, captured at the very record that closes it, since a later one may be late for that window and still
 * belong to its last pane (Li et al., "No Pane, No Gain", 2005).
 *
 * Delivery guarantee: a result taken by `collect` is a true statement about its version for ever.
 * Back pressure: closed windows wait in memory until `collect`; `pendingResults` counts them.
 */
export class WindowedAggregate {
  readonly job: WindowedJob;
  readonly keys = new KeyDictionary();
  readonly panes = new Map<EpochMs, Pane>();
  /** Closed windows that may still be corrected: start -> version at which they closed. */
  readonly closed = new Map<EpochMs, number>();
  readonly watermark: Watermark;
  readonly blank: Float64Array;
  /** Windows closed by this process; for people, no part of the state. */
  closedWindows = 0;
  readonly #paneMs: number;
  readonly #ahead = new LookAhead();
  readonly #selected: SelectedRows;
  #results: WindowResults;
  /** Events before it are late for every window that would hold them. */
  #onTimeFrom = Number.NEGATIVE_INFINITY;
  /** Watermark at which the next window closes or expires. */
  #nextBoundary = Number.NEGATIVE_INFINITY;
  /** Every window that ends at or before it is closed. */
  #closedThrough = Number.NEGATIVE_INFINITY;
  /** Cells whose `changed` is at or above it changed since results were collected last. */
  #touchedFrom: number;

  constructor(job: WindowedJob, nextOffset: number) {
    this.job = job;
    this.watermark = createWatermark(job.watermarkDelayMs);
    this.blank = blankCell(job.sumCount, job.maxCount ?? 0);
    this.#paneMs = paneLength(job.window);
    this.#results = new WindowResults(job, this.#paneMs);
    const { sumCount } = job;
    const paneAt = (time: EpochMs): Pane => this.#paneAt(time);
    this.#selected = new SelectedRows(aheadRows, { paneMs: this.#paneMs, sumCount }, paneAt);
    this.#touchedFrom = nextOffset + 1;
  }

  get pendingResults(): number {
    return this.#results.columns.count;
  }

  /** Open windows that hold records. */
  get openWindows(): number {
    return this.#windowsOf(isFilled, (end) => end > this.#closedThrough).length;
  }

  /** Applies accepted records in order; the others go to `aside`. Redeliveries are told by what is `seen`. */
  apply(columns: RecordColumns, aside: SetAsideRows, seen?: Deduplicator): void {
    for (let first = 0; first < columns.count; first += aheadRows) {
      const end = Math.min(first + aheadRows, columns.count);
      const counting = { columns, first, touchedFrom: this.#touchedFrom };
      this.#ahead.prepare(columns, first, this.keys, this.#selected.pane);
      const plain = seen === undefined && this.#applyPlain(counting, end);
      if (!plain) this.#applyEach(counting, end, aside, seen);
    }
  }

  /** Applies rows that all belong to the current pane, and none of which closes a window. @returns whether they do */
  #applyPlain(counting: Counting, end: number): boolean {
    const { columns, first } = counting;
    const { pane, starts } = this.#selected;
    const { maxFutureMs, watermarkDelayMs, maxKeys = Infinity } = this.job;
    if (pane === undefined || this.keys.count + end - first > maxKeys) return false;
    // A pane that late events alone could fall into is gone, and no longer the current one.
    const bounds = { from: pane.start, to: pane.start + this.#paneMs, maxFutureMs };
    const complete = plainCompleteness(columns, first, end, bounds);
    if (complete - watermarkDelayMs >= this.#nextBoundary) return false;
    this.watermark.highest = Math.max(this.watermark.highest, complete);
    this.#ahead.findCells(columns, first, end, this.keys, pane, starts);
    this.#selected.foldRun(end - first, counting);
    return true;
  }

  /** Judges rows one by one, in order, and does what each of them asks for. */
  #applyEach(
    counting: Counting,
    end: number,
    aside: SetAsideRows,
    seen: Deduplicator | undefined,
  ): void {
    const { columns, first } = counting;
    const { offset, recordTime, rejected, eventTime } = columns;
    const view = viewOf(columns.bytes);
    const { maxFutureMs, watermarkDelayMs, maxKeys = Infinity } = this.job;
    for (let row = first; row < end; row++) {
      const time = eventTime[row] ?? 0;
      const logged = recordTime[row] ?? -1;
      if (rejected[row] !== 0) {
        aside.dead(row, rejected[row] ?? 0);
      } else if (isAhead(time, logged, maxFutureMs)) {
        aside.dead(row, aheadOfRecord);
      } else if (seen !== undefined && this.#repeats(seen, columns, row, time)) {
        aside.duplicate(row);
      } else if (time < this.#onTimeFrom) {
        aside.late(row);
      } else {
        const key = this.#ahead.idOf(view, columns, first, row, this.keys, maxKeys);
        if (key === refusedKey) {
          aside.dead(row, tooManyKeys);
          continue;
        }
        this.#selected.add(row - first, time, key, counting);
        const complete = completeness(time, logged);
        if (complete > this.watermark.highest) {
          this.watermark.highest = complete;
          if (complete - watermarkDelayMs >= this.#nextBoundary) {
            this.#selected.fold(counting);
            this.#advance(2 * ((offset[row] ?? 0) + 1));
            this.#ahead.forgetIds();
          }
        }
      }
    }
    this.#selected.fold(counting);
  }

  /**
   * The furthest the watermark may go by decision when nothing more came until `now` (epoch ms of the log): the end of
   * the last open window that ended before `now` - delay. undefined when there is none.
   */
  decidable(now: EpochMs): EpochMs | undefined {
    const before = now - this.job.watermarkDelayMs;
    const ends = this.#windowsOf(isFilled, (end) => end > this.#closedThrough && end < before);
    const last = ends.at(-1);
    return last === undefined ? undefined : last + this.job.window.sizeMs;
  }

  /** Advances the watermark by a recorded decision taken at `nextOffset`. */
  decide(watermark: EpochMs, nextOffset: number): void {
    if (watermark <= watermarkTime(this.watermark)) return;
    this.watermark.decided = watermark;
    if (watermark >= this.#nextBoundary) this.#advance(2 * nextOffset + 1);
  }

  /**
   * Results since the last call: windows that closed, then corrections, then (unless `onlyFinal`) open windows that
   * changed. `nextOffset` is the offset of the next record to be applied.
   */
  collect(nextOffset: number, onlyFinal: boolean): ResultColumns {
    const { job } = this;
    const expiredThrough = this.#closedThrough - job.allowedLatenessMs;
    for (const start of this.#windowsOf(isTouched, (end) => end > expiredThrough)) {
      if (start + job.window.sizeMs <= this.#closedThrough) this.#addCorrections(start);
      else if (!onlyFinal) this.#results.addTouched(start, this, early, this.#touchedFrom, 0);
    }
    for (const pane of this.panes.values()) pane.touchedCount = 0;
    this.#touchedFrom = nextOffset + 1;
    return this.#results.take();
  }

  /** Of what `collect` returns only the windows that closed; what changed in others waits for it. */
  takeClosed(): ResultColumns {
    return this.#results.take();
  }

  /** Adopts restored keys, panes, closed windows and watermark; nothing counts as changed. */
  restored(nextOffset: number): void {
    this.#closedThrough = watermarkTime(this.watermark);
    this.#touchedFrom = nextOffset + 1;
    this.#setBoundaries();
  }

  /** Bytes of memory that grow with keys and events. */
  get byteLength(): number {
    let total = this.keys.byteLength;
    for (const pane of this.panes.values()) total += pane.byteLength;
    return total;
  }

  #paneAt(time: EpochMs): Pane {
    const start = Math.floor(time / this.#paneMs) * this.#paneMs;
    let pane = this.panes.get(start);
    if (pane === undefined) {
      pane = new Pane(start, this.blank, this.keys.count);
      this.panes.set(start, pane);
    }
    return pane;
  }

  #repeats(seen: Deduplicator, columns: RecordColumns, row: number, time: number): boolean {
    const length = columns.idLength[row] ?? 0;
    if (length === 0 || this.#refuses(columns, row, time)) return false;
    const start = columns.idStart[row] ?? 0;
    return seen.repeats(columns.bytes, start, length, time, watermarkTime(this.watermark));
  }

  /** Whether its key will be one too many: its id is not remembered, so that it counts once there is room for it. */
  #refuses({ bytes, keyStart, keyLength }: RecordColumns, row: number, time: number): boolean {
    const { maxKeys = Infinity } = this.job;
    if (this.keys.count < maxKeys || time < this.#onTimeFrom) return false;
    return this.keys.idOf(viewOf(bytes), keyStart[row] ?? 0, keyLength[row] ?? 0, 0) === refusedKey;
  }

  #advance(version: number): void {
    const { allowedLatenessMs } = this.job;
    const through = watermarkTime(this.watermark);
    const from = this.#closedThrough;
    for (const start of this.#windowsOf(isFilled, (end) => end > from && end <= through)) {
      this.#results.addAll(start, this, final, version);
      this.closedWindows++;
      if (allowedLatenessMs > 0) this.closed.set(start, version);
    }
    if (allowedLatenessMs > 0) this.#captureCorrections(from, through);
    this.#closedThrough = through;
    this.#expire(through - allowedLatenessMs);
    this.#setBoundaries();
  }

  /** Corrections of windows that expire now: a later record of a shared pane must not get into them. */
  #captureCorrections(from: EpochMs, through: EpochMs): void {
    const { allowedLatenessMs } = this.job;
    const expires = (end: EpochMs): boolean =>
      end > from - allowedLatenessMs && end <= through - allowedLatenessMs;
    for (const start of this.#windowsOf(isTouched, expires)) this.#addCorrections(start);
  }

  #addCorrections(start: EpochMs): void {
    const closedAt = this.closed.get(start) ?? 0;
    this.#results.addTouched(start, this, corrected, this.#touchedFrom, closedAt);
  }

  /** Drops what no window that may still change needs: windows that ended at or before `through`. */
  #expire(through: EpochMs): void {
    const { sizeMs } = this.job.window;
    for (const start of this.closed.keys()) {
      if (start + sizeMs <= through) this.closed.delete(start);
    }
    let dropped = false;
    for (const start of this.panes.keys()) {
      if (newestWindowStart(start, this.job.window) + sizeMs > through) continue;
      this.panes.delete(start);
      dropped = true;
    }
    if (!dropped) return;
    this.#selected.forgetPanes();
    reclaimKeys(this.keys, this.panes, this.job.maxKeys);
  }

  #setBoundaries(): void {
    const { window, allowedLatenessMs } = this.job;
    const through = this.#closedThrough;
    if (through === Number.NEGATIVE_INFINITY) return;
    const firstUnexpiredEnd = nextWindowEnd(through - allowedLatenessMs, window);
    const nextExpiry = firstUnexpiredEnd + allowedLatenessMs;
    this.#nextBoundary = Math.min(nextWindowEnd(through, window), nextExpiry);
    this.#onTimeFrom = firstUnexpiredEnd - window.sizeMs;
  }

  #windowsOf(holds: (pane: Pane) => boolean, wanted: (end: EpochMs) => boolean): EpochMs[] {
    return windowsOf(this.panes.values(), this.job.window, holds, wanted);
  }
}
