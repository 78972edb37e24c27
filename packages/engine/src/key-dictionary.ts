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
 * Memory: key bytes + 4 bytes a key + 12 to 24 bytes of table.
 */
export class KeyDictionary {
  /** How often `retain` changed the meaning of ids. */
  renumberings = 0;
  #count = 0;
  #bytes = new Uint8Array(1024);
  /** Key i is `#bytes[#ends[i - 1] .. #ends[i])`; a leading zero spares the special case. */
  #ends = new Int32Array(65);
  /**
   * Pairs of id + 1, or 0 where free, and the hash of its key: one cache line says whether to look at the key itself. A power
   * of two of them, two thirds full at most.
   */
  #slots = new Int32Array(2 * 128);

  get count(): number {
    return this.#count;
  }

  /** Bytes of memory that grow with the keys. */
  get byteLength(): number {
    return this.#bytes.byteLength + this.#ends.byteLength + this.#slots.byteLength;
  }

  /**
   * The id of the key `source[start .. start + length)`, a new one at its first appearance.
   * @param maxCount a new key is refused (`refusedKey`) where there are as many; 0 only looks it up
   */
  idOf(
    source: Uint8Array,
    start: number,
    length: number,
    maxCount = Infinity,
    hash = hashOfKey(source, start, length),
  ): number {
    const slots = this.#slots;
    const mask = slots.length - 2;
    let slot = homeOf(hash) & mask;
    for (;;) {
      const entry = slots[slot] ?? emptySlot;
      if (entry === emptySlot) {
        return this.#count < maxCount ? this.#add(source, start, length, hash) : refusedKey;
      }
      if (slots[slot + 1] === hash && this.#equals(entry - 1, source, start, length)) {
        return entry - 1;
      }
      slot = (slot + 2) & mask;
    }
  }

  /**
   * Brings into the caches what `idOf` will look at for these hashes, and guesses their ids: with many keys each look is a
   * wait for memory, and these wait together.
   */
  lookAhead(hashes: Int32Array, count: number, guesses: Int32Array): number {
    const slots = this.#slots;
    const ends = this.#ends;
    const bytes = this.#bytes;
    const mask = slots.length - 2;
    let touched = 0;
    for (let at = 0; at < count; at++) guesses[at] = slots[homeOf(hashes[at] ?? 0) & mask] ?? 0;
    for (let at = 0; at < count; at++) touched ^= ends[guesses[at] ?? 0] ?? 0;
    for (let at = 0; at < count; at++)
      touched ^= bytes[Math.max(0, (ends[guesses[at] ?? 0] ?? 0) - 1)] ?? 0;
    return touched;
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
    this.#count = id + 1;
    place(this.#slots, id + 1, hash);
    return id;
  }

  #reserve(keys: number, byteCount: number): void {
    if (byteCount > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(byteCount, this.#bytes.length * 2));
      bytes.set(this.#bytes);
      this.#bytes = bytes;
    }
    if (keys >= this.#ends.length) {
      const ends = new Int32Array(this.#ends.length * 2);
      ends.set(this.#ends);
      this.#ends = ends;
    }
    const before = this.#slots;
    if (keys * 3 <= before.length) return;
    // In the order of the slots: what lies together goes to two places that grow, rather than anywhere.
    this.#slots = new Int32Array(before.length * 2);
    for (let slot = 0; slot < before.length; slot += 2) {
      const entry = before[slot] ?? emptySlot;
      if (entry !== emptySlot) place(this.#slots, entry, before[slot + 1] ?? 0);
    }
  }
}

/** FNV-1a, 32 bits. */
export function hashOfKey(source: Uint8Array, start: number, length: number): number {
  let hash = fnvOffset | 0;
  const end = start + length;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (source[at] ?? 0), fnvPrime);
  return hash;
}

/** Where to begin looking, even; to be masked. */
function homeOf(hash: number): number {
  return (hash ^ (hash >>> 15)) << 1;
}

function place(slots: Int32Array, entry: number, hash: number): void {
  const mask = slots.length - 2;
  let slot = homeOf(hash) & mask;
  while (slots[slot] !== emptySlot) slot = (slot + 2) & mask;
  slots[slot] = entry;
  slots[slot + 1] = hash;
}
