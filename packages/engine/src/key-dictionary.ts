import type { RecordColumns } from "./columns.ts";

const emptySlot = 0;
/** Odd multipliers of MurmurHash3's last step, which spread what differs over all bits. */
const [spread, spreadOn] = [0x85ebca6b, 0xc2b2ae35];
/** Tables of up to 256 KiB stay in a cache, and are a quarter full at most: having to look further cannot be foreseen. */
const smallTable = 2 ** 16;
/** Returned in place of the id of a key that is refused. */
export const refusedKey: number = -1;
/** Stands for the id of a key that has none yet. */
export const unknownKey: number = -1;
/** Keys that one task can hold whatever their length: the ends of 8,000,000 keys of 256 bytes fit into 31 bits. */
export const mostKeys: number = 8_000_000;

/**
 * Key bytes <-> dense ids, per task. Ids are given in the order in which keys first appear in the log, so equal logs give
 * equal ids. Open addressing over the keys' own bytes: no string is made on the hot path.
 *
 * Memory: key bytes + 4 bytes a key + 12 to 24 bytes of table, of which up to 8,192 keys have up to 64.
 */
export class KeyDictionary {
  /** How often `retain` changed the meaning of ids. */
  renumberings = 0;
  #count = 0;
  #bytes = new Uint8Array(1024);
  #view = viewOf(this.#bytes);
  /** Key i is `#bytes[#ends[i - 1] .. #ends[i])`; a leading zero spares the special case. */
  #ends = new Int32Array(65);
  /**
   * Pairs of id + 1, or 0 where free, and the hash of its key: one cache line says whether to look at the key itself. A power
   * of two of them, two thirds full at most, small ones a quarter.
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
    source: DataView,
    start: number,
    length: number,
    maxCount = Infinity,
    hash = hashOfKey(source, start, length),
  ): number {
    const id = this.find(source, start, length, hash);
    if (id !== unknownKey) return id;
    return this.#count < maxCount ? this.add(source, start, length, hash) : refusedKey;
  }

  /** The id of the key of a hash, `unknownKey` where it has none. */
  find(source: DataView, start: number, length: number, hash: number): number {
    const slots = this.#slots;
    const mask = slots.length - 2;
    let slot = homeOf(hash) & mask;
    for (;;) {
      const entry = slots[slot] ?? emptySlot;
      if (entry === emptySlot) return unknownKey;
      if (slots[slot + 1] === hash && this.#equals(entry - 1, source, start, length)) {
        return entry - 1;
      }
      slot = (slot + 2) & mask;
    }
  }

  /** Gives an id to a key that has none. */
  add(source: DataView, start: number, length: number, hash: number): number {
    const id = this.#count;
    this.#reserve(id + 1, (this.#ends[id] ?? 0) + length);
    const from = this.#ends[id] ?? 0;
    this.#bytes.set(new Uint8Array(source.buffer, source.byteOffset + start, length), from);
    this.#ends[id + 1] = from + length;
    this.#count = id + 1;
    place(this.#slots, id + 1, hash);
    return id;
  }

  /**
   * The ids of the keys of rows `first` on, `unknownKey` where a key is new or its row rejected. Adds none.
   *
   * With many keys each look is a wait for memory. Here a pass over all rows touches the same table in each of them, so that
   * they wait together, and the pass behind it finds everything in a core's cache.
   */
  lookUp(rows: KeyRows, first: number, hashes: Int32Array, count: number, ids: Int32Array): number {
    let touched = touchHomes(this.#slots, hashes, count);
    guessIds(this.#slots, hashes, count, ids);
    touched ^= touchKeys(this.#ends, this.#bytes, ids, count);
    const view = viewOf(rows.bytes);
    for (let at = 0; at < count; at++) {
      const id = ids[at] ?? unknownKey;
      const row = first + at;
      // The key of a rejected row may lie anywhere.
      const known =
        id !== unknownKey &&
        rows.rejected[row] === 0 &&
        this.#equals(id, view, rows.keyStart[row] ?? 0, rows.keyLength[row] ?? 0);
      if (!known) ids[at] = unknownKey;
    }
    return touched;
  }

  /** Bytes of all keys, one behind the other; others once a key was added. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Where a key begins within `bytes`. */
  start(id: number): number {
    return this.#ends[id] ?? 0;
  }

  /** Where it ends. */
  end(id: number): number {
    return this.#ends[id + 1] ?? 0;
  }

  /** Bytes of a key, a view that stays valid until keys are reclaimed. */
  key(id: number): Uint8Array {
    return this.#bytes.subarray(this.start(id), this.end(id));
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
      const start = this.#ends[id] ?? 0;
      renumbered[id] = kept.idOf(this.#view, start, (this.#ends[id + 1] ?? 0) - start);
    }
    this.#count = kept.#count;
    this.#bytes = kept.#bytes;
    this.#view = kept.#view;
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

  #equals(id: number, source: DataView, start: number, length: number): boolean {
    const from = this.#ends[id] ?? 0;
    if ((this.#ends[id + 1] ?? 0) - from !== length) return false;
    return sameBytes(this.#view, from, source, start, length);
  }

  #reserve(keys: number, byteCount: number): void {
    if (byteCount > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(byteCount, this.#bytes.length * 2));
      bytes.set(this.#bytes);
      this.#bytes = bytes;
      this.#view = viewOf(bytes);
    }
    if (keys >= this.#ends.length) {
      const ends = new Int32Array(this.#ends.length * 2);
      ends.set(this.#ends);
      this.#ends = ends;
    }
    const before = this.#slots;
    if (keys * (before.length < smallTable ? 8 : 3) <= before.length) return;
    // In the order of the slots: what lies together goes to two places that grow, rather than anywhere.
    this.#slots = new Int32Array(before.length * 2);
    for (let slot = 0; slot < before.length; slot += 2) {
      const entry = before[slot] ?? emptySlot;
      if (entry !== emptySlot) place(this.#slots, entry, before[slot + 1] ?? 0);
    }
  }
}

/** Where the keys of rows lie. */
export type KeyRows = Pick<RecordColumns, "bytes" | "keyStart" | "keyLength" | "rejected">;

/** Without a use of what it returns V8 leaves out the loads. */
function touchHomes(slots: Int32Array, hashes: Int32Array, count: number): number {
  const mask = slots.length - 2;
  let touched = 0;
  for (let at = 0; at < count; at++) touched ^= slots[homeOf(hashes[at] ?? 0) & mask] ?? 0;
  return touched;
}

/** The first key of each hash: another one with the same 32 bits is as good as none. */
function guessIds(slots: Int32Array, hashes: Int32Array, count: number, ids: Int32Array): void {
  const mask = slots.length - 2;
  for (let at = 0; at < count; at++) {
    const hash = hashes[at] ?? 0;
    let slot = homeOf(hash) & mask;
    while (slots[slot] !== emptySlot && slots[slot + 1] !== hash) slot = (slot + 2) & mask;
    ids[at] = (slots[slot] ?? emptySlot) - 1;
  }
}

function touchKeys(ends: Int32Array, bytes: Uint8Array, ids: Int32Array, count: number): number {
  let touched = 0;
  for (let at = 0; at < count; at++) touched ^= ends[Math.max(0, ids[at] ?? 0)] ?? 0;
  for (let at = 0; at < count; at++) {
    touched ^= bytes[ends[Math.max(0, ids[at] ?? 0)] ?? 0] ?? 0;
  }
  return touched;
}

/**
 * 32 bits of a key, by words of four bytes, the last of which may overlap the one before it: of a multiplication for each
 * byte every one waits for the one before.
 */
export function hashOfKey(source: DataView, start: number, length: number): number {
  const last = start + length - 4;
  let hash = length;
  let word = 0;
  if (length >= 4) {
    for (let at = start; at < last; at += 4) {
      hash = Math.imul(hash ^ source.getInt32(at), spread);
      hash ^= hash >>> 15;
    }
    word = source.getInt32(last);
  } else {
    for (let at = start; at < start + length; at++) word = (word << 8) | source.getUint8(at);
  }
  hash = Math.imul(hash ^ word, spreadOn);
  return hash ^ (hash >>> 13);
}

/** By words that may overlap, as in the hash. */
function sameBytes(
  a: DataView,
  fromA: number,
  b: DataView,
  fromB: number,
  length: number,
): boolean {
  const last = length - 4;
  if (last < 0) {
    for (let at = 0; at < length; at++) {
      if (a.getUint8(fromA + at) !== b.getUint8(fromB + at)) return false;
    }
    return true;
  }
  for (let at = 0; at < last; at += 4) {
    if (a.getInt32(fromA + at) !== b.getInt32(fromB + at)) return false;
  }
  return a.getInt32(fromA + last) === b.getInt32(fromB + last);
}

/** What keys are read from. */
export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
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
