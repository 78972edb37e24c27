import { type ColumnReader, contradiction } from "./byte-layout.ts";
import { viewOf } from "./key-dictionary.ts";
import { Pane } from "./pane.ts";
import { paneLength } from "./window.ts";
import { WindowedAggregate } from "./windowed-aggregate.ts";
import type { WindowedJob } from "./windowed-job.ts";

/**
 * State as columns: scalars, keys in id order, closed windows, then the open panes by start. Equal state gives equal
 * bytes. The columns are views into live state: pack them before going on.
 */
export function aggregateColumns(
  aggregate: WindowedAggregate,
): (Float64Array | Int32Array | Uint8Array)[] {
  const { watermark } = aggregate;
  const { ends, bytes } = aggregate.keys.contents();
  const closed = [...aggregate.closed].sort(([a], [b]) => a - b);
  const panes = [...aggregate.panes.values()].sort((a, b) => a.start - b.start);
  return [
    Float64Array.of(watermark.highest, watermark.decided, panes.length),
    ends,
    bytes,
    Float64Array.from(closed.flat()),
    ...panes.flatMap((pane) => [
      Float64Array.of(pane.start),
      pane.keys.subarray(0, pane.count),
      pane.cells.subarray(0, pane.count * pane.stride),
    ]),
  ];
}

/**
 * Builds the aggregate that `aggregateColumns` described.
 * @throws {StreamError} CHECKPOINT_UNREADABLE when the columns contradict each other
 */
export function restoreAggregate(
  job: WindowedJob,
  nextOffset: number,
  reader: ColumnReader,
): WindowedAggregate {
  const aggregate = new WindowedAggregate(job, nextOffset);
  const [highest = 0, decided = 0, paneCount = 0] = reader.scalars(3);
  if (!isWatermark(highest) || !isWatermark(decided)) throw contradiction("the watermark");
  aggregate.watermark.highest = highest;
  aggregate.watermark.decided = decided;
  const ends = reader.int32();
  restoreKeys(aggregate, ends, reader.uint8());
  restoreClosed(aggregate, reader.float64());
  for (let index = 0; index < paneCount; index++) restorePane(aggregate, reader);
  if (aggregate.panes.size !== paneCount) throw contradiction("the number of panes");
  aggregate.restored(nextOffset);
  return aggregate;
}

function restoreKeys(aggregate: WindowedAggregate, ends: Int32Array, bytes: Uint8Array): void {
  let start = 0;
  const view = viewOf(bytes);
  for (const [id, end] of ends.entries()) {
    if (end <= start || end > bytes.length) throw contradiction("key lengths");
    if (aggregate.keys.idOf(view, start, end - start) !== id) throw contradiction("a key twice");
    start = end;
  }
  if (start !== bytes.length) throw contradiction("key bytes");
}

function restoreClosed(aggregate: WindowedAggregate, closed: Float64Array): void {
  if (closed.length % 2 !== 0) throw contradiction("closed windows");
  for (let at = 0; at < closed.length; at += 2) {
    const [start = 0, version = 0] = closed.subarray(at, at + 2);
    if (!isMultiple(start, aggregate.job.window.slideMs)) throw contradiction("a closed window");
    aggregate.closed.set(start, version);
  }
}

function restorePane(aggregate: WindowedAggregate, reader: ColumnReader): void {
  const [start = 0] = reader.scalars(1);
  if (!isMultiple(start, paneLength(aggregate.job.window)) || aggregate.panes.has(start))
    throw contradiction("the start of a pane");
  const keys = reader.int32();
  const cells = reader.float64();
  if (cells.length !== keys.length * aggregate.blank.length)
    throw contradiction("cells and keys of a pane");
  const known = aggregate.keys.count;
  if (keys.some((key) => key < 0 || key >= known)) throw contradiction("a key of a pane");
  if (new Set(keys).size !== keys.length) throw contradiction("the keys of a pane");
  const pane = new Pane(start, aggregate.blank, known);
  pane.load(keys, cells);
  aggregate.panes.set(start, pane);
}

/** Exact multiples only: others would make window loops that never end. */
function isMultiple(time: number, stepMs: number): boolean {
  return Number.isSafeInteger(time) && Math.abs(time % stepMs) === 0;
}

function isWatermark(time: number): boolean {
  return Number.isSafeInteger(time) || time === Number.NEGATIVE_INFINITY;
}
