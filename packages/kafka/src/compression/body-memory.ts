/** More than the batches of any sane producer need. */
const keptBytes = 4 * 1024 * 1024;

/**
 * Memory that bodies are unpacked into, one after the other: each overwrites the one before it.
 *
 * V8 counts what is made anew for each body as external, and collects the heap for it however little of that is garbage;
 * and the kernel clears each page of it.
 */
export class BodyMemory {
  #bytes: Uint8Array = new Uint8Array(0);

  /** All there is, with anything in it. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** The first `length` bytes, with anything in them. */
  take(length: number): Uint8Array {
    if (length <= this.#bytes.length) return this.#bytes.subarray(0, length);
    const bytes = new Uint8Array(length);
    this.keep(bytes);
    return bytes;
  }

  /** Lets what a body was unpacked into serve from now on, unless that is smaller, or unreasonably large. */
  keep(bytes: Uint8Array): void {
    if (bytes.length > this.#bytes.length && bytes.length <= keptBytes) this.#bytes = bytes;
  }

  /** Whether the next body overwrites these bytes. */
  holds({ buffer }: Uint8Array): boolean {
    return buffer === this.#bytes.buffer;
  }
}
