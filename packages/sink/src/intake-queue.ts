import type { Result } from "@adstream/contracts/result-shape";

import { isNewer, type ResultRows } from "./result-rows.ts";

/** A record as it was on the results topic. */
export type SourceRecord = {
  readonly partition: number;
  readonly offset: number;
  /** Epoch ms. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
};

/** A record that gets into no document, whatever is tried. */
export type RefusedRecord = SourceRecord & { readonly reason: string };

/** What one record batch holds. */
export type ReadBatch = {
  readonly rows: ResultRows;
  /** Records that are no results. */
  readonly refused: readonly RefusedRecord[];
};

/** One record batch, and where its partition goes on. */
export type Arriving = ReadBatch & {
  readonly partition: number;
  readonly nextOffset: number;
  /** Tells the batch from any other that could lie there. */
  readonly canary: string;
  /** Highest Kafka timestamp in the batch, epoch ms. */
  readonly maxTimestamp: number;
};

/** What is left of it when it is taken. */
export type Arrival = Omit<Arriving, "rows"> & {
  readonly results: readonly Result[];
  /** The record of `results[index]`. */
  readonly record: (index: number) => SourceRecord;
  /** Results that were let go. */
  readonly superseded: number;
};

/** At these no more is read. What comes while a bulk is written may supersede what waits; about 300 bytes a result. */
const mostWaiting = { arrivals: 10_000, results: 30_000, bytes: 32 * 1024 * 1024 };

/** @param share of what may wait */
export function isFull({ arrivals, results, bytes }: IntakeQueue, share = 1): boolean {
  const { arrivals: mostArrivals, results: mostResults, bytes: mostBytes } = mostWaiting;
  return (
    arrivals >= mostArrivals * share || results >= mostResults * share || bytes >= mostBytes * share
  );
}

/**
 * Arrivals in order, and of their results the newest of each slot: one that a later one supersedes while both wait is let
 * go, with its record. Nothing is lost by it, however far offsets are committed: the later one lies behind it in the log.
 * Bounded by its user, who asks `isFull` before it adds.
 */
export interface IntakeQueue {
  readonly arrivals: number;
  /** Results that are held. */
  readonly results: number;
  /** Memory that their records keep alive. */
  readonly bytes: number;
  add(arriving: Arriving): void;
  /** The oldest arrivals: as many as hold `maxResults` results, and at least one where there is one. */
  take(maxResults: number): Arrival[];
  clear(): void;
}

export function createIntakeQueue(): IntakeQueue {
  return new NewestOfEachSlot();
}

class NewestOfEachSlot implements IntakeQueue {
  #waiting: Waiting[] = [];
  #results = 0;
  readonly #newest = new Map<string, Place>();
  readonly #memory = createMemoryTally();

  get arrivals(): number {
    return this.#waiting.length;
  }

  get results(): number {
    return this.#results;
  }

  get bytes(): number {
    return this.#memory.bytes;
  }

  add({ rows, ...of }: Arriving): void {
    const held = rows.count;
    const arrival: Waiting = { of, rows, gone: new Uint8Array(held), held };
    this.#waiting.push(arrival);
    this.#results += held;
    if (held > 0) this.#memory.keep(rows.buffer);
    for (let row = 0; row < rows.count; row++) this.#hold(arrival, row);
  }

  take(maxResults: number): Arrival[] {
    let count = 0;
    let held = 0;
    for (const arrival of this.#waiting) {
      if (count > 0 && held + arrival.held > maxResults) break;
      count += 1;
      held += arrival.held;
    }
    this.#results -= held;
    return this.#waiting.splice(0, count).map((arrival) => this.#taken(arrival));
  }

  clear(): void {
    this.#waiting = [];
    this.#results = 0;
    this.#newest.clear();
    this.#memory.clear();
  }

  /** The row of an arrival that has just come. */
  #hold(arrival: Waiting, row: number): void {
    const { rows } = arrival;
    const name = rows.names[row] ?? "";
    const other = this.#newest.get(name);
    if (other === undefined) this.#newest.set(name, { arrival, row });
    else if (isNewer(rows, row, other.arrival.rows, other.row)) {
      this.#letGo(other);
      other.arrival = arrival;
      other.row = row;
    } else this.#letGo({ arrival, row });
  }

  #letGo({ arrival, row }: Place): void {
    arrival.gone[row] = 1;
    arrival.held -= 1;
    this.#results -= 1;
    if (arrival.held === 0) this.#memory.release(arrival.rows.buffer);
  }

  #taken({ of, rows, gone, held }: Waiting): Arrival {
    if (held > 0) this.#memory.release(rows.buffer);
    const kept: number[] = [];
    for (let row = 0; row < rows.count; row++) {
      if (gone[row] === 1) continue;
      kept.push(row);
      this.#newest.delete(rows.names[row] ?? "");
    }
    return {
      ...of,
      results: kept.map((row) => rows.result(row)),
      record: (index) => rows.record(kept[index] ?? -1),
      superseded: rows.count - kept.length,
    };
  }
}

/** An arrival of which results are let go. */
type Waiting = {
  readonly of: Omit<Arriving, "rows">;
  readonly rows: ResultRows;
  /** 1 for a row that was let go. */
  readonly gone: Uint8Array;
  /** Rows that are left. */
  held: number;
};

/** Moved to the row that supersedes, instead of making another for each. */
type Place = { arrival: Waiting; row: number };

/** A view keeps all of its buffer alive, which may be that of a whole fetch. */
function createMemoryTally(): {
  readonly bytes: number;
  keep(buffer: ArrayBufferLike | undefined): void;
  release(buffer: ArrayBufferLike | undefined): void;
  clear(): void;
} {
  const users = new Map<ArrayBufferLike, number>();
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    keep(buffer) {
      if (buffer === undefined) return;
      const before = users.get(buffer) ?? 0;
      if (before === 0) bytes += buffer.byteLength;
      users.set(buffer, before + 1);
    },
    release(buffer) {
      const before = buffer === undefined ? 0 : (users.get(buffer) ?? 0);
      if (buffer === undefined || before === 0) return;
      if (before > 1) users.set(buffer, before - 1);
      else {
        users.delete(buffer);
        bytes -= buffer.byteLength;
      }
    },
    clear() {
      users.clear();
      bytes = 0;
    },
  };
}
