const smallest = 64;

/** Bytes at the end of which more are put; amortised, a byte is copied twice. */
export class GrowingBytes {
  #buffer = new ArrayBuffer(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** A view, until more is appended. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.#buffer, 0, this.#length);
  }

  /** The same as numbers, of which there must be whole ones. */
  float64(): Float64Array {
    return new Float64Array(this.#buffer, 0, this.#length / 8);
  }

  append(column: Float64Array | Int32Array | Uint8Array): void {
    const end = this.#length + column.byteLength;
    if (end > this.#buffer.byteLength) {
      // In whole numbers, for the view of them. What comes first is often all.
      const room = this.#length === 0 ? end : Math.max(smallest, end * 1.5);
      const larger = new ArrayBuffer(8 * Math.ceil(room / 8));
      new Uint8Array(larger).set(this.bytes);
      this.#buffer = larger;
    }
    const source = new Uint8Array(column.buffer, column.byteOffset, column.byteLength);
    new Uint8Array(this.#buffer).set(source, this.#length);
    this.#length = end;
  }
}
