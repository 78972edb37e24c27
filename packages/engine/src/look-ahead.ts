import type { RecordColumns } from "./columns.ts";
import { hashOfKey, type KeyDictionary, unknownKey, viewOf } from "./key-dictionary.ts";
import type { Pane } from "./pane.ts";

/** Rows that are looked at together: what they touch stays in a core's own cache until they are applied. */
export const aheadRows = 256;
/** With fewer keys all of them are in that cache anyway: what is looked up at once, hash and all, costs less. */
export const fromKeys = 2_048;

/**
 * With many keys, hashes and ids of the keys of rows to come, and their state fetched from memory: nearly every record
 * waits for it some six times, one wait after the other, while loads that do not depend on each other wait together.
 * Changes no state.
 */
export class LookAhead {
  /** Of row r at `r % aheadRows`; `unknownKey` where the dictionary is to be asked. */
  readonly ids: Int32Array = new Int32Array(aheadRows).fill(unknownKey);
  /** Without a use V8 leaves out the loads. */
  touched = 0;
  #found = false;
  #hashed = false;
  /** As the ids are. */
  readonly #hashes = new Int32Array(aheadRows);

  /** Prepares the rows from `first` on, `aheadRows` at most. */
  prepare(
    columns: RecordColumns,
    first: number,
    keys: KeyDictionary,
    pane: Pane | undefined,
  ): void {
    this.forgetIds();
    this.#hashed = keys.count >= fromKeys;
    if (!this.#hashed) return;
    const { bytes, keyStart, keyLength, rejected } = columns;
    const hashes = this.#hashes;
    const count = Math.min(aheadRows, columns.count - first);
    const view = viewOf(bytes);
    for (let at = 0; at < count; at++) {
      const row = first + at;
      // The key of a rejected row may lie anywhere.
      const sound = rejected[row] === 0;
      hashes[at] = sound ? hashOfKey(view, keyStart[row] ?? 0, keyLength[row] ?? 0) : 0;
    }
    this.touched ^= keys.lookUp(columns, first, hashes, count, this.ids);
    if (pane !== undefined) this.touched ^= pane.lookAhead(this.ids, count);
    this.#found = true;
  }

  /** The hash of the key of a row, where it is known. */
  hashOf(row: number): number | undefined {
    return this.#hashed ? this.#hashes[row % aheadRows] : undefined;
  }

  /** The ids of rows `first` to `end` (exclusive), the same that were prepared and sound all: new keys get theirs. */
  resolve(columns: RecordColumns, first: number, end: number, keys: KeyDictionary): Int32Array {
    const { bytes, keyStart, keyLength } = columns;
    const { ids } = this;
    const hashes = this.#hashed ? this.#hashes : undefined;
    const view = viewOf(bytes);
    for (let row = first; row < end; row++) {
      const at = row - first;
      if (ids[at] !== unknownKey) continue;
      ids[at] = keys.idOf(
        view,
        keyStart[row] ?? 0,
        keyLength[row] ?? 0,
        Number.POSITIVE_INFINITY,
        hashes?.[at],
      );
    }
    this.#found = true;
    return ids;
  }

  /** Keys were given other ids. */
  forgetIds(): void {
    if (this.#found) this.ids.fill(unknownKey);
    this.#found = false;
  }
}
