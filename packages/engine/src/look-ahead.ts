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
 */
export class LookAhead {
  /** Of the rows that were prepared; `unknownKey` where the dictionary is to be asked. */
  readonly #ids = new Int32Array(aheadRows).fill(unknownKey);
  /** Without a use V8 leaves out the loads. */
  touched = 0;
  #found = false;
  #hashed = false;
  /** As the ids are. */
  readonly #hashes = new Int32Array(aheadRows);

  /** Prepares the rows from `first` on, `aheadRows` at most. Changes no state. */
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
    this.touched ^= keys.lookUp(columns, first, hashes, count, this.#ids);
    if (pane !== undefined) this.touched ^= pane.lookAhead(this.#ids, count);
    this.#found = true;
  }

  /**
   * The id of the key of one of the rows that were prepared from `first` on; it has to be sound.
   * @param view of the bytes of the columns; one made for each row would cost more than the look
   * @param maxCount as that of `KeyDictionary.idOf`
   */
  idOf(
    view: DataView,
    { keyStart, keyLength }: RecordColumns,
    first: number,
    row: number,
    keys: KeyDictionary,
    maxCount: number,
  ): number {
    const known = this.#ids[row - first] ?? unknownKey;
    if (known !== unknownKey) return known;
    const hash = this.#hashed ? this.#hashes[row - first] : undefined;
    return keys.idOf(view, keyStart[row] ?? 0, keyLength[row] ?? 0, maxCount, hash);
  }

  /**
   * Where in a pane the cells of rows `first` to `end` (exclusive) begin, the same that were prepared and sound all: new keys
   * get ids and cells.
   *
   * `find` and `add` are apart because V8 makes what is called for each row a part of this loop only while it is small.
   */
  findCells(
    columns: RecordColumns,
    first: number,
    end: number,
    keys: KeyDictionary,
    pane: Pane,
    starts: Int32Array,
  ): void {
    const { bytes, keyStart, keyLength } = columns;
    const ids = this.#ids;
    const { stride } = pane;
    const hashes = this.#hashed ? this.#hashes : undefined;
    const view = viewOf(bytes);
    for (let row = first; row < end; row++) {
      const at = row - first;
      let id = ids[at] ?? unknownKey;
      if (id === unknownKey) {
        const start = keyStart[row] ?? 0;
        const length = keyLength[row] ?? 0;
        const hash = hashes?.[at] ?? hashOfKey(view, start, length);
        id = keys.find(view, start, length, hash);
        if (id === unknownKey) id = keys.add(view, start, length, hash);
      }
      starts[at] = pane.obtain(id) * stride;
    }
  }

  /** Keys were given other ids. */
  forgetIds(): void {
    if (this.#found) this.#ids.fill(unknownKey);
    this.#found = false;
  }
}
