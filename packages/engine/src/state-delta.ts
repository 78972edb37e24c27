import { cell, type Pane } from "./pane.ts";
import type { EpochMs } from "./window.ts";
import type { WindowedAggregate } from "./windowed-aggregate.ts";

/** What has to be remembered of a state so that what changed since can be told: no cell, only counts. */
export type StateMark = {
  readonly nextOffset: number;
  /** Keys, and how often they had been renumbered: ids before and after a renumbering have nothing in common. */
  readonly keys: { readonly count: number; readonly renumberings: number };
  /** Cells of each open pane, by its start. */
  readonly panes: ReadonlyMap<EpochMs, number>;
  readonly ids: IdMark | undefined;
};

/** Event ids in memory, and how often some of them had been given back. */
export type IdMark = { readonly count: number; readonly sweeps: number };

/** The part of a mark that an aggregate knows. */
export function markOf({ keys, panes }: WindowedAggregate): Pick<StateMark, "keys" | "panes"> {
  const { count, renumberings } = keys;
  return {
    keys: { count, renumberings },
    panes: new Map([...panes].map(([start, pane]) => [start, pane.count])),
  };
}

/**
 * What changed since `mark`, as columns: watermark, number of panes, and offset and keys of the state before; new keys, closed windows, then of
 * each open pane, by start: its start, known cells and checksum, changed cells with their rows, new cells with their
 * keys. What is not named is gone, or as it was.
 *
 * A cell says itself at which offset it changed last, so nothing is kept for this while records are applied. Rows and keys
 * are only appended; the checksum covers all cells, so that a change that went unnoticed would be found at a restore.
 *
 * @returns undefined when it cannot be told: ids of keys changed their meaning
 */
export function aggregateDelta(
  aggregate: WindowedAggregate,
  mark: StateMark,
): (Float64Array | Int32Array | Uint8Array)[] | undefined {
  const { watermark, keys } = aggregate;
  if (keys.renumberings !== mark.keys.renumberings) return undefined;
  const panes = [...aggregate.panes.values()].sort((a, b) => a.start - b.start);
  const changes = panes.map((pane) => changesOf(pane, mark));
  // Panes only grow; for one that did not, the mark is of another.
  if (changes.some(({ pane, known }) => known > pane.count)) return undefined;
  const { ends, bytes } = keys.contents();
  const knownBytes = mark.keys.count === 0 ? 0 : (ends[mark.keys.count - 1] ?? 0);
  return [
    Float64Array.of(
      watermark.highest,
      watermark.decided,
      panes.length,
      mark.nextOffset,
      mark.keys.count,
    ),
    ends.subarray(mark.keys.count),
    bytes.subarray(knownBytes),
    Float64Array.from([...aggregate.closed].sort(([a], [b]) => a - b).flat()),
    ...changes.flatMap(changeColumns),
  ];
}

/** Of the counts and offsets of all cells. */
export function paneChecksum(cells: Float64Array, stride: number): number {
  let checksum = 0;
  const count = cells.length / stride;
  for (let index = 0; index < count; index++) {
    const base = index * stride;
    const changed = cells[base + cell.changed] ?? 0;
    checksum = checksumWith(checksum, index, cells[base + cell.records] ?? 0, changed);
  }
  return checksum;
}

type PaneChanges = {
  readonly pane: Pane;
  /** Cells it had at the mark. */
  readonly known: number;
  /** Which of them changed. */
  readonly rows: Int32Array;
  readonly checksum: number;
};

function changesOf(pane: Pane, mark: StateMark): PaneChanges {
  const known = mark.panes.get(pane.start) ?? 0;
  const { cells, stride, count } = pane;
  const rows = new Int32Array(Math.min(known, count));
  let changedCount = 0;
  let checksum = 0;
  for (let index = 0; index < count; index++) {
    const base = index * stride;
    const changed = cells[base + cell.changed] ?? 0;
    checksum = checksumWith(checksum, index, cells[base + cell.records] ?? 0, changed);
    if (index < known && changed > mark.nextOffset) rows[changedCount++] = index;
  }
  return { pane, known, rows: rows.subarray(0, changedCount), checksum };
}

function changeColumns({
  pane,
  known,
  rows,
  checksum,
}: PaneChanges): (Float64Array | Int32Array)[] {
  const { cells, stride, count } = pane;
  const changed = new Float64Array(rows.length * stride);
  let at = 0;
  for (const row of rows) {
    for (let column = 0; column < stride; column++)
      changed[at++] = cells[row * stride + column] ?? 0;
  }
  return [
    Float64Array.of(pane.start, known, checksum),
    rows,
    changed,
    pane.keys.subarray(known, count),
    cells.subarray(known * stride, count * stride),
  ];
}

function checksumWith(checksum: number, index: number, records: number, changed: number): number {
  const mixed = Math.imul(Math.imul(index ^ records, 0x9e3779b1) ^ changed, 0x85ebca6b);
  return (checksum + mixed) | 0;
}
