/** Columns that every cell has before its sums. */
export const cell = {
  /** Records counted. */
  records: 0,
  /** Offset + 1 of the record that changed the cell last: half of its version. */
  changed: 1,
  /** Highest event time, epoch ms. */
  maxEventTime: 2,
  /** Highest Kafka timestamp, epoch ms; -1 where no record had one. */
  maxRecordTime: 3,
  /** First of the job's sums; its maxima are behind them. */
  values: 4,
} as const;

/** A cell before its first record. */
export function blankCell(sumCount: number, maxCount: number): Float64Array {
  const blank = new Float64Array(cell.values + sumCount + maxCount);
  blank[cell.maxEventTime] = Number.NEGATIVE_INFINITY;
  blank[cell.maxRecordTime] = -1;
  return blank.fill(Number.NEGATIVE_INFINITY, cell.values + sumCount);
}

/**
 * What one slice of event time holds: a cell for each key that occurred in it.
 *
 * Cells are rows of one Float64Array, so that a record touches one or two cache lines however many keys there are, and
 * a snapshot is one copy. Rows are in order of first appearance in the log.
 */
export class Pane {
  readonly start: number;
  readonly stride: number;
  count = 0;
  cells: Float64Array;
  /** Cell -> key id. */
  keys: Int32Array;
  /** Cells that changed since results were collected last. */
  touchedCount = 0;
  touched: Int32Array;
  /** Key id -> cell + 1; 0: the key does not occur here. */
  #cellOfKey: Int32Array;
  readonly #blank: Float64Array;

  constructor(start: number, blank: Float64Array, keyCapacity: number) {
    this.start = start;
    this.stride = blank.length;
    this.#blank = blank;
    this.cells = new Float64Array(16 * this.stride);
    this.keys = new Int32Array(16);
    this.touched = new Int32Array(16);
    this.#cellOfKey = new Int32Array(Math.max(16, keyCapacity));
  }

  get byteLength(): number {
    return (
      this.cells.byteLength +
      this.keys.byteLength +
      this.touched.byteLength +
      this.#cellOfKey.byteLength
    );
  }

  /** The cell of a key, -1 where it has none. */
  find(key: number): number {
    return (this.#cellOfKey[key] ?? 0) - 1;
  }

  /** The cell of a key, made when it has none. */
  obtain(key: number): number {
    const found = this.#cellOfKey[key] ?? 0;
    return found > 0 ? found - 1 : this.#add(key);
  }

  /** Brings the cells of keys into the caches; an id below 0 stands for any key. */
  lookAhead(keys: Int32Array, count: number): number {
    const { cells, stride } = this;
    const cellOfKey = this.#cellOfKey;
    let touched = 0;
    for (let at = 0; at < count; at++) touched ^= cellOfKey[Math.max(0, keys[at] ?? 0)] ?? 0;
    for (let at = 0; at < count; at++) {
      const cellNumber = cellOfKey[Math.max(0, keys[at] ?? 0)] ?? 0;
      const base = (Math.max(1, cellNumber) - 1) * stride;
      touched ^= (cells[base] ?? 0) ^ (cells[base + stride - 1] ?? 0);
    }
    return touched;
  }

  /** Notes that a cell changed; once for each collection of results. */
  touch(index: number): void {
    this.touched[this.touchedCount++] = index;
  }

  /** Fills an empty pane with cells of a snapshot. */
  load(keys: Int32Array, cells: Float64Array): void {
    this.#reserve(keys.length);
    for (const key of keys) this.#add(key);
    this.cells.set(cells);
  }

  /** Follows a renumbering of keys. */
  renumber(renumbered: Int32Array, keyCapacity: number): void {
    this.#cellOfKey = new Int32Array(Math.max(16, keyCapacity));
    for (let index = 0; index < this.count; index++) {
      const key = renumbered[this.keys[index] ?? 0] ?? 0;
      this.keys[index] = key;
      this.#cellOfKey[key] = index + 1;
    }
  }

  #add(key: number): number {
    const index = this.count;
    this.#reserve(index + 1);
    if (key >= this.#cellOfKey.length) {
      const larger = new Int32Array(Math.max(key + 1, this.#cellOfKey.length * 2));
      larger.set(this.#cellOfKey);
      this.#cellOfKey = larger;
    }
    this.#cellOfKey[key] = index + 1;
    this.keys[index] = key;
    this.cells.set(this.#blank, index * this.stride);
    this.count = index + 1;
    return index;
  }

  #reserve(count: number): void {
    if (count <= this.keys.length) return;
    const capacity = Math.max(count, this.keys.length * 2);
    const keys = new Int32Array(capacity);
    keys.set(this.keys);
    const touched = new Int32Array(capacity);
    touched.set(this.touched);
    const cells = new Float64Array(capacity * this.stride);
    cells.set(this.cells);
    this.keys = keys;
    this.touched = touched;
    this.cells = cells;
  }
}
