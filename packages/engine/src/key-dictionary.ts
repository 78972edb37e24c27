const emptySlot = 0;
const fnvOffset = 0x811c9dc5;
const fnvPrime = 16_777_619;
/** Returned in place of the id of a key that is refused. */
export const refusedKey: number = -1;
/** Keys that one task can hold whatever their length: the ends of 8,000,000 keys of 256 bytes fit into 31 bits. */
export const mostKeys: number = 8_000_000;

/**
 * Key bytes <-> dense ids, per task. Ids are given in the order in which keys first appear in the log, so equal logs give
 * equal ids. Open addressing over the keys' own bytes: no string is made on the hot path.
 *
 * Memory: key bytes + 12 bytes a key + 8 to 16 bytes of table.
 */
export class KeyDictionary {
  /** How often `retain` changed the meaning of ids. */
  renumberings = 0;
  #count = 0;
  #bytes = new Uint8Array(1024);
  /** Key i is `#bytes[#ends[i - 1] .. #ends[i])`; a leading zero spares the special case. */
  #ends = new Int32Array(65);
  #hashes = new Int32Array(64);
  /** id + 1, or 0 where free; a power of two, at most half full. */
  #slots = new Int32Array(128);

  get count(): number {
    return this.#count;
  }

  /** Bytes of memory that grow with the keys. */
  get byteLength(): number {
    return (
      this.#bytes.byteLength +
      this.#ends.byteLength +
      this.#hashes.byteLength +
      this.#slots.byteLength
    );
  }

  /**
   * The id of the key `source[start .. start + length)`, a new one at its first appearance.
   * @param maxCount a new key is refused (`refusedKey`) where there are as many; 0 only looks it up
   */
  idOf(source: Uint8Array, start: number, length: number, maxCount = Infinity): number {
    let hash = fnvOffset | 0;
    const end = start + length;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ (source[at] ?? 0), fnvPrime);
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const entry = slots[slot] ?? emptySlot;
      if (entry === emptySlot) {
        return this.#count < maxCount ? this.#add(source, start, length, hash) : refusedKey;
      }
      if (this.#hashes[entry - 1] === hash && this.#equals(entry - 1, source, start, length)) {
        return entry - 1;
      }
      slot = (slot + 1) & mask;
    }
  }

  /** Bytes of a key, a view that stays valid until keys are reclaimed. */
  key(id: number): Uint8Array {
    return this.#bytes.subarray(this.#ends[id], this.#ends[id + 1]);
  }

  /**
   * Forgets every key that is not `live`; the others keep their order and move together.
   * @returns old id -> new id, -1 for a forgotten one
   */
  retain(live: Uint8Array): Int32Array {
    const renumbered = new Int32Array(this.#count).fill(-1);
    const kept = new KeyDictionary();
    for (let id = 0; id < this.#count; id++) {
      if (live[id] !== 1) continue;
      const key = this.key(id);
      renumbered[id] = kept.idOf(key, 0, key.length);
    }
    this.#count = kept.#count;
    this.#bytes = kept.#bytes;
    this.#ends = kept.#ends;
    this.#hashes = kept.#hashes;
    this.#slots = kept.#slots;
    this.renumberings++;
    return renumbered;
  }

  /** The keys in id order: their ends within `bytes`, and the bytes. Views: copy before going on. */
  contents(): { ends: Int32Array; bytes: Uint8Array } {
    const ends = this.#ends.subarray(1, this.#count + 1);
    return { ends, bytes: this.#bytes.subarray(0, this.#ends[this.#count]) };
  }

  #equals(id: number, source: Uint8Array, start: number, length: number): boolean {
    const from = this.#ends[id] ?? 0;
    if ((this.#ends[id + 1] ?? 0) - from !== length) return false;
    for (let at = 0; at < length; at++) {
      if (this.#bytes[from + at] !== source[start + at]) return false;
    }
    return true;
  }

  #add(source: Uint8Array, start: number, length: number, hash: number): number {
    const id = this.#count;
    this.#reserve(id + 1, (this.#ends[id] ?? 0) + length);
    const from = this.#ends[id] ?? 0;
    this.#bytes.set(source.subarray(start, start + length), from);
    this.#ends[id + 1] = from + length;
    this.#hashes[id] = hash;
    this.#count = id + 1;
    this.#place(id, hash);
    return id;
  }

  #place(id: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    while (this.#slots[slot] !== emptySlot) slot = (slot + 1) & mask;
    this.#slots[slot] = id + 1;
  }

  #reserve(keys: number, byteCount: number): void {
    if (byteCount > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(byteCount, this.#bytes.length * 2));
      bytes.set(this.#bytes);
      this.#bytes = bytes;
    }
    if (keys <= this.#hashes.length) return;
    const hashes = new Int32Array(this.#hashes.length * 2);
    hashes.set(this.#hashes);
    const ends = new Int32Array(hashes.length + 1);
    ends.set(this.#ends);
    this.#hashes = hashes;
    this.#ends = ends;
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let id = 0; id < this.#count; id++) this.#place(id, hashes[id] ?? 0);
  }
}
