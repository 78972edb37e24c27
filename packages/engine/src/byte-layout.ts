import { StreamError } from "./errors.ts";

/** A typed array of the kinds that snapshots hold. */
type Column = Float64Array | Int32Array | Uint8Array;

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Writes columns one behind the other, each with its length in bytes, in the machine's (little) byte order. */
export function packColumns(columns: readonly Column[]): Uint8Array {
  if (!littleEndian)
    throw new StreamError("INTERNAL", "stop", "snapshots need a little-endian machine");
  let total = 0;
  for (const column of columns) total += 8 + column.byteLength;
  const packed = new Uint8Array(total);
  const view = new DataView(packed.buffer);
  let at = 0;
  for (const column of columns) {
    view.setFloat64(at, column.byteLength, true);
    packed.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at + 8);
    at += 8 + column.byteLength;
  }
  return packed;
}

/** Reads packed columns back, in the order in which they were written. */
export class ColumnReader {
  readonly #packed: Uint8Array;
  #at = 0;

  constructor(packed: Uint8Array) {
    this.#packed = packed;
  }

  /** @throws {StreamError} CHECKPOINT_UNREADABLE when the bytes do not hold such a column */
  float64(): Float64Array {
    const bytes = this.#next(8);
    return new Float64Array(bytes.buffer, 0, bytes.length / 8);
  }

  /** A column of exactly `count` numbers. */
  scalars(count: number): Float64Array {
    const column = this.float64();
    if (column.length !== count) throw contradiction("the number of scalars");
    return column;
  }

  int32(): Int32Array {
    const bytes = this.#next(4);
    return new Int32Array(bytes.buffer, 0, bytes.length / 4);
  }

  uint8(): Uint8Array {
    return this.#next(1);
  }

  /** @throws {StreamError} CHECKPOINT_UNREADABLE when bytes are left */
  end(): void {
    if (this.#at !== this.#packed.length) throw unreadable("bytes after the last column");
  }

  #next(elementBytes: number): Uint8Array<ArrayBuffer> {
    const packed = this.#packed;
    if (this.#at + 8 > packed.length) throw unreadable("a column is missing");
    const view = new DataView(packed.buffer, packed.byteOffset + this.#at, 8);
    const length = view.getFloat64(0, true);
    const from = this.#at + 8;
    const whole = Number.isInteger(length) && length >= 0 && length % elementBytes === 0;
    if (!whole || length > packed.length - from)
      throw unreadable("a column's length is out of bounds");
    this.#at = from + length;
    const copy = new Uint8Array(length);
    copy.set(packed.subarray(from, this.#at));
    return copy;
  }
}

/** Columns that can be read and cannot belong together. */
export function contradiction(what: string): StreamError {
  return unreadable(`contradicts itself in ${what}`);
}

function unreadable(what: string): StreamError {
  return new StreamError("CHECKPOINT_UNREADABLE", "stop", `checkpoint payload: ${what}`);
}
