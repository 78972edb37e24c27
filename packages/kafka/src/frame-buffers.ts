/** Below this a frame is no burden for the collector. */
const smallestBytes = 64 * 1024;
/** Two fetches of each of a few brokers: one is applied while the next one comes in. */
const mostFreeBytes = 64 * 1024 * 1024;

/**
 * Memory of large responses, used again and again.
 *
 * A backlog comes in frames of megabytes. They live outside of the heap, but their size decides when it is collected:
 * with a new one each time, the heap is collected every few dozen fetches, however little of it is garbage, and the
 * kernel hands out and clears each page anew.
 *
 * Who takes a buffer owns it until it is released. What is never released is collected like any other memory.
 */
export class FrameBuffers {
  readonly #free: ArrayBuffer[] = [];
  #freeBytes = 0;
  /** Taken and not released. */
  readonly #lent = new WeakSet<ArrayBuffer>();

  /** @returns memory of at least `bytes`, with anything in it */
  take(bytes: number): ArrayBuffer {
    if (bytes < smallestBytes) return new ArrayBuffer(bytes);
    const buffer = this.#takeFree(bytes) ?? new ArrayBuffer(2 ** Math.ceil(Math.log2(bytes)));
    this.#lent.add(buffer);
    return buffer;
  }

  /** Lets the buffer be overwritten: nobody may hold a view of it any more. Does nothing for what was not taken here. */
  release(buffer: ArrayBufferLike): void {
    if (!(buffer instanceof ArrayBuffer) || !this.#lent.delete(buffer)) return;
    if (this.#freeBytes + buffer.byteLength > mostFreeBytes) return;
    this.#free.push(buffer);
    this.#freeBytes += buffer.byteLength;
  }

  #takeFree(bytes: number): ArrayBuffer | undefined {
    const index = this.#free.findLastIndex(({ byteLength }) => byteLength >= bytes);
    if (index < 0) return undefined;
    const [buffer] = this.#free.splice(index, 1);
    this.#freeBytes -= buffer?.byteLength ?? 0;
    return buffer;
  }
}
