import { StreamError } from "./errors.ts";
import { type IdColumns, IdTable, mostIds } from "./id-table.ts";
import type { IdMark } from "./state-delta.ts";

/** How redeliveries of an event are told. */
export type Deduplication = {
  /** An id is forgotten once the watermark is further than this behind its event's time. */
  readonly horizonMs: number;
  /** Ids of one task at which it stops, to within a sixteenth. Says nothing about what state means. */
  readonly maxIds: number;
};

/** Below this many ids forgetting is not worth a new table. */
const sweepFromIds = 4_096;
/** Largest `maxIds`: the table has room for a sixteenth more. */
export const mostDeduplicatedIds: number = 5_000_000;
// A larger bound would need wider slots.
if (mostDeduplicatedIds * 1.5 > mostIds) throw new RangeError("more ids than a table can hold");

/**
 * Remembers the ids of accepted events, late ones included, by event time; an event whose id is remembered is a
 * redelivery. What is remembered follows from the log and its decisions alone: ids are forgotten by the watermark, which
 * is judged record by record, and not when memory happens to be given back.
 *
 * With a horizon of at least window size + allowed lateness an event is never counted twice: the second one is a
 * redelivery, or, once its id is forgotten, late for all of its windows.
 */
export class Deduplicator {
  readonly #settings: Deduplication;
  readonly #where: string;
  #ids = new IdTable();
  #sweepAt: number;
  #sweeps = 0;

  /** @param where the task, for people */
  constructor(settings: Deduplication, where: string, columns?: IdColumns) {
    this.#settings = settings;
    this.#where = where;
    if (columns !== undefined) this.#ids = IdTable.of(columns);
    this.#sweepAt = this.#nextSweep();
  }

  /** Ids in memory, those included that are forgotten and not yet given back. */
  get count(): number {
    return this.#ids.count;
  }

  /** Bytes of memory that grow with the ids. */
  get byteLength(): number {
    return this.#ids.byteLength;
  }

  /**
   * Whether the accepted event with the id `source[start .. start + length)` was there before; remembers it otherwise.
   * @param time event time, epoch ms
   * @param watermark before this record
   * @throws {StreamError} DEDUPLICATION_FULL
   */
  repeats(
    source: Uint8Array,
    start: number,
    length: number,
    time: number,
    watermark: number,
  ): boolean {
    const from = watermark - this.#settings.horizonMs;
    if (this.#ids.count >= this.#sweepAt) this.#sweep(from);
    return this.#ids.has(source, start, length, time, from);
  }

  /** Copies of what is remembered at this watermark. */
  contents(watermark: number): IdColumns {
    return this.#ids.contents(watermark - this.#settings.horizonMs);
  }

  /** For `contentsSince`. */
  get mark(): IdMark {
    return { count: this.#ids.count, sweeps: this.#sweeps };
  }

  /**
   * The same without the ids that were there at `mark`, and the event time before which all ids are forgotten; undefined
   * when memory was given back since, and with it the order of ids that the mark rests on.
   */
  contentsSince(mark: IdMark, watermark: number): { from: number; ids: IdColumns } | undefined {
    if (mark.sweeps !== this.#sweeps) return undefined;
    const from = watermark - this.#settings.horizonMs;
    return { from, ids: this.#ids.contents(from, mark.count) };
  }

  #sweep(from: number): void {
    this.#sweeps++;
    this.#ids = IdTable.of(this.#ids.contents(from));
    const { maxIds, horizonMs } = this.#settings;
    if (this.#ids.count >= maxIds) {
      throw new StreamError(
        "DEDUPLICATION_FULL",
        "stop",
        `${this.#where}: ${this.#ids.count} event ids within ${horizonMs} ms of event time, and DEDUPLICATE_MAX_IDS is ${maxIds}; ` +
          "raise it (some 60 bytes of memory an id), or add partitions for records to come",
      );
    }
    this.#sweepAt = this.#nextSweep();
  }

  /** Rarely enough that the copying is paid for by the ids that were added, and often enough to keep to `maxIds`. */
  #nextSweep(): number {
    const { maxIds } = this.#settings;
    const { count } = this.#ids;
    return Math.min(Math.max(sweepFromIds, count * 1.5), Math.max(maxIds, count + maxIds / 16));
  }
}
