import { contradiction } from "./byte-layout.ts";
import { packUuid, uuidBytes } from "./uuid-bytes.ts";

/** Ids as a snapshot holds them, in the order in which they were added. */
export type IdColumns = {
  /** Event time of each id, epoch ms. */
  readonly times: Float64Array;
  /** Stored bytes of each id, less one. */
  readonly lengths: Uint8Array;
  readonly bytes: Uint8Array;
};

/** A slot holds index + 1 of an id in its low bits, and a part of the id's hash above them. */
const indexMask = 0x00_ff_ff_ff;
const tagMask = ~indexMask;
/** A slot's index has no room for more. */
export const mostIds: number = indexMask - 1;

const smallest = 256;
/** Stored before an id of as many bytes as a packed UUID has. Ids are UTF-8, which has no such byte. */
const notUuid = 0xff;
const fnvOffset = 0x811c9dc5;
const fnvPrime = 16_777_619;

/**
 * Ids with an event time each, in the order in which they were added. Two ids are the same when all their bytes are:
 * the hash only says where to look.
 *
 * Memory: the bytes of an id (16 of a UUID in lower case) and 18 to 24 more, half of that again as room to grow.
 */
export class IdTable {
  #count = 0;
  #times = new Float64Array(smallest);
  /** Id i is `#bytes[#ends[i] .. #ends[i + 1])`. */
  #ends = new Int32Array(smallest + 1);
  #bytes = new Uint8Array(smallest * 16);
  /** Open addressing; 0 where free. A power of two, two thirds full at most. */
  #slots = new Int32Array(slotsFor(smallest));
  /** The id that is looked for, as it is stored. */
  readonly #wanted = new Uint8Array(256);

  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    const { byteLength } = this.#times;
    return byteLength + this.#ends.byteLength + this.#bytes.byteLength + this.#slots.byteLength;
  }

  /**
   * Whether the id `source[start .. start + length)` was added with a time of `from` or later; adds it otherwise,
   * unless its own time is earlier.
   */
  has(source: Uint8Array, start: number, length: number, time: number, from: number): boolean {
    if (this.#count === this.#times.length) this.#grow();
    const size = this.#store(source, start, length);
    const hash = hashOf(this.#wanted, 0, size);
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const entry = slots[slot] ?? 0;
      if (entry === 0) break;
      if (((entry ^ hash) & tagMask) === 0) {
        const index = (entry & indexMask) - 1;
        if (this.#equals(index, size)) {
          if ((this.#times[index] ?? 0) >= from) return true;
          break; // An earlier one that no longer counts gives its slot to this one.
        }
      }
      slot = (slot + 1) & mask;
    }
    if (time >= from) slots[slot] = this.#append(size, time) | (hash & tagMask);
    return false;
  }

  /** Copies of the ids with a time of `from` or later, but for the `known` ones that were added first. */
  contents(from: number, known = 0): IdColumns {
    let count = 0;
    let byteCount = 0;
    for (let index = known; index < this.#count; index++) {
      if ((this.#times[index] ?? 0) < from) continue;
      count++;
      byteCount += (this.#ends[index + 1] ?? 0) - (this.#ends[index] ?? 0);
    }
    const columns = {
      times: new Float64Array(count),
      lengths: new Uint8Array(count),
      bytes: new Uint8Array(byteCount),
    };
    this.#copy(from, known, columns);
    return columns;
  }

  /**
   * A table of these ids.
   * @throws {StreamError} CHECKPOINT_UNREADABLE when the columns contradict each other
   */
  static of({ times, lengths, bytes }: IdColumns): IdTable {
    const table = new IdTable();
    const count = times.length;
    if (lengths.length !== count || count > mostIds) throw contradiction("the number of event ids");
    const capacity = Math.max(smallest, Math.ceil(count * 1.5));
    table.#times = new Float64Array(capacity);
    table.#ends = new Int32Array(capacity + 1);
    table.#bytes = new Uint8Array(Math.max(smallest * 16, Math.ceil(bytes.length * 1.5)));
    let end = 0;
    for (let index = 0; index < count; index++) {
      end += (lengths[index] ?? 0) + 1;
      table.#ends[index + 1] = end;
    }
    if (end !== bytes.length) throw contradiction("the bytes of event ids");
    if (!times.every(Number.isSafeInteger)) throw contradiction("the times of event ids");
    table.#times.set(times);
    table.#bytes.set(bytes);
    table.#count = count;
    table.#slots = new Int32Array(slotsFor(capacity));
    if (table.#placeAll() !== count) throw contradiction("an event id twice");
    return table;
  }

  /** Runs of neighbours are copied at once: what is left out lies mostly at the front. */
  #copy(from: number, known: number, { times, lengths, bytes }: IdColumns): void {
    let row = 0;
    let at = 0;
    for (let index = known; index < this.#count;) {
      if ((this.#times[index] ?? 0) < from) {
        index++;
        continue;
      }
      const first = index;
      let start = this.#ends[first] ?? 0;
      const bytesFrom = start;
      const rowFrom = row;
      for (; index < this.#count && (this.#times[index] ?? 0) >= from; index++) {
        const end = this.#ends[index + 1] ?? 0;
        lengths[row++] = end - start - 1;
        start = end;
      }
      times.set(this.#times.subarray(first, index), rowFrom);
      bytes.set(this.#bytes.subarray(bytesFrom, start), at);
      at += start - bytesFrom;
    }
  }

  /** Writes the id to `#wanted` as it is stored, so that different ids stay different. @returns its length */
  #store(source: Uint8Array, start: number, length: number): number {
    const wanted = this.#wanted;
    if (packUuid(source, start, length, wanted)) return uuidBytes;
    const shift = length === uuidBytes ? 1 : 0;
    if (shift === 1) wanted[0] = notUuid;
    for (let at = 0; at < length; at++) wanted[at + shift] = source[start + at] ?? 0;
    return length + shift;
  }

  #equals(index: number, size: number): boolean {
    const from = this.#ends[index] ?? 0;
    if ((this.#ends[index + 1] ?? 0) - from !== size) return false;
    for (let at = 0; at < size; at++) {
      if (this.#bytes[from + at] !== this.#wanted[at]) return false;
    }
    return true;
  }

  /** @returns the index + 1 of the id */
  #append(size: number, time: number): number {
    const index = this.#count;
    const from = this.#ends[index] ?? 0;
    const to = from + size;
    if (to > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(to, Math.ceil(this.#bytes.length * 1.5)));
      bytes.set(this.#bytes.subarray(0, from));
      this.#bytes = bytes;
    }
    for (let at = 0; at < size; at++) this.#bytes[from + at] = this.#wanted[at] ?? 0;
    this.#ends[index + 1] = to;
    this.#times[index] = time;
    this.#count = index + 1;
    return index + 1;
  }

  #grow(): void {
    const capacity = Math.ceil(this.#times.length * 1.5);
    const times = new Float64Array(capacity);
    times.set(this.#times);
    const ends = new Int32Array(capacity + 1);
    ends.set(this.#ends);
    this.#times = times;
    this.#ends = ends;
    if (slotsFor(capacity) === this.#slots.length) return;
    this.#slots = new Int32Array(slotsFor(capacity));
    this.#placeAll();
  }

  /** Fills the empty slots, the newest of equal ids in each. @returns how many ids differ */
  #placeAll(): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let different = 0;
    for (let index = 0; index < this.#count; index++) {
      const hash = hashOf(this.#bytes, this.#ends[index] ?? 0, this.#ends[index + 1] ?? 0);
      let slot = hash & mask;
      for (;;) {
        const entry = slots[slot] ?? 0;
        if (entry === 0) {
          different++;
          break;
        }
        const tagged = ((entry ^ hash) & tagMask) === 0;
        if (tagged && this.#same((entry & indexMask) - 1, index)) break;
        slot = (slot + 1) & mask;
      }
      slots[slot] = (index + 1) | (hash & tagMask);
    }
    return different;
  }

  #same(a: number, b: number): boolean {
    const from = this.#ends[a] ?? 0;
    const other = this.#ends[b] ?? 0;
    const size = (this.#ends[a + 1] ?? 0) - from;
    if ((this.#ends[b + 1] ?? 0) - other !== size) return false;
    for (let at = 0; at < size; at++) {
      if (this.#bytes[from + at] !== this.#bytes[other + at]) return false;
    }
    return true;
  }
}

function slotsFor(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(capacity * 1.5));
}

/** FNV-1a, its bits mixed once more (MurmurHash3), since slots take the low ones and tags the high ones. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = fnvOffset | 0;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), fnvPrime);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}
