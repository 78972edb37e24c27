import type { RecordColumns } from "./columns.ts";
import { hashOfKey, type KeyDictionary, viewOf } from "./key-dictionary.ts";
import type { Pane } from "./pane.ts";

/** Rows that are looked at together: what they touch stays in a core's own cache until they are applied. */
export const aheadRows = 256;
/** With fewer keys all of them are in that cache anyway. */
const fromKeys = 16_384;

/**
 * Hashes of the keys of rows to come, and their state fetched from memory: with many keys nearly every record waits for
 * it some six times, one wait after the other, while loads that do not depend on each other wait together. Changes no
 * state, and a wrong guess costs nothing but time.
 */
export class LookAhead {
  /** Of row r at `r % aheadRows`. */
  readonly hashes: Int32Array = new Int32Array(aheadRows);
  /** Without a use V8 leaves out the loads. */
  touched = 0;
  readonly #guesses = new Int32Array(aheadRows);

  /** Prepares the rows from `first` on, `aheadRows` at most. */
  prepare(
    columns: RecordColumns,
    first: number,
    keys: KeyDictionary,
    pane: Pane | undefined,
  ): void {
    const { bytes, keyStart, keyLength, rejected } = columns;
    const count = Math.min(aheadRows, columns.count - first);
    const view = viewOf(bytes);
    for (let at = 0; at < count; at++) {
      const row = first + at;
      // The key of a rejected row may lie anywhere.
      const sound = rejected[row] === 0;
      this.hashes[at] = sound ? hashOfKey(view, keyStart[row] ?? 0, keyLength[row] ?? 0) : 0;
    }
    if (keys.count < fromKeys) return;
    this.touched ^= keys.lookAhead(this.hashes, count, this.#guesses);
    if (pane !== undefined) this.touched ^= pane.lookAhead(this.#guesses, count);
  }
}
