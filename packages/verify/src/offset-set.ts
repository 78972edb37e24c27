const chunkBits = 15;
const chunkOffsets = 2 ** chunkBits;

/**
 * Offsets of one partition. A bit each where they lie close together, 4 KiB for a lonely one; nothing is freed.
 */
export class OffsetSet {
  size = 0;
  readonly #chunks = new Map<number, Uint32Array>();

  /** @returns false when it was there already */
  add(offset: number): boolean {
    const number = Math.floor(offset / chunkOffsets);
    let chunk = this.#chunks.get(number);
    if (chunk === undefined) {
      chunk = new Uint32Array(chunkOffsets / 32);
      this.#chunks.set(number, chunk);
    }
    const at = offset % chunkOffsets;
    const before = chunk[at >>> 5] ?? 0;
    const after = before | (1 << (at & 31));
    if (after >>> 0 === before) return false;
    chunk[at >>> 5] = after;
    this.size += 1;
    return true;
  }

  has(offset: number): boolean {
    const at = offset % chunkOffsets;
    const word = this.#chunks.get(Math.floor(offset / chunkOffsets))?.[at >>> 5] ?? 0;
    return (word & (1 << (at & 31))) !== 0;
  }
}
