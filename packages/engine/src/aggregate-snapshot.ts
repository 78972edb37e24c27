import { type ColumnReader } from "./byte-layout.ts";
import { StreamError } from "./errors.ts";
import { Pane } from "./pane.ts";
import { WindowedAggregate, type WindowedJob } from "./windowed-aggregate.ts";

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
  const [highest = 0, decided = 0, paneCount = 0] = reader.float64();
  aggregate.watermark.highest = highest;
  aggregate.watermark.decided = decided;
  const ends = reader.int32();
  restoreKeys(aggregate, ends, reader.uint8());
  const closed = reader.float64();
  for (let at = 0; at + 1 < closed.length; at += 2) {
    aggregate.closed.set(closed[at] ?? 0, closed[at + 1] ?? 0);
  }
  for (let index = 0; index < paneCount; index++) {
    const [start = 0] = reader.float64();
    const keys = reader.int32();
    const cells = reader.float64();
    if (cells.length !== keys.length * aggregate.stride)
      throw contradiction("cells and keys of a pane");
    if (keys.some((key) => key < 0 || key >= ends.length)) throw contradiction("a key of a pane");
    const pane = new Pane(start, aggregate.stride, aggregate.keys.count);
    pane.load(keys, cells);
    aggregate.panes.set(start, pane);
  }
  aggregate.restored(nextOffset);
  return aggregate;
}

function restoreKeys(aggregate: WindowedAggregate, ends: Int32Array, bytes: Uint8Array): void {
  let start = 0;
  for (const [id, end] of ends.entries()) {
    if (end <= start || end > bytes.length) throw contradiction("key lengths");
    if (aggregate.keys.idOf(bytes, start, end - start) !== id) throw contradiction("a key twice");
    start = end;
  }
  if (start !== bytes.length) throw contradiction("key bytes");
}

function contradiction(what: string): StreamError {
  return new StreamError(
    "CHECKPOINT_UNREADABLE",
    "stop",
    `checkpoint payload contradicts itself: ${what}`,
  );
}
