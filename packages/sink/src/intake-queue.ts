import type { Result } from "@adstream/contracts/result-shape";

import { decodedRows, isNewer, type ResultRows } from "./result-rows.ts";

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
  /** The records of some of `results`, by index. */
  readonly records: (indexes: readonly number[]) => SourceRecord[];
  /** Results that were let go. */
  readonly superseded: number;
};

/**
 * At these no more is read. What comes while a bulk is written may supersede what waits; about 300 bytes a result, and what
 * waits is still written when the sink stops.
 */
const mostWaiting = { arrivals: 10_000, results: 50_000, bytes: 32 * 1024 * 1024 };
/** At these what is left of batches is copied out of them: memory for what was let go is of no use. */
const mostLoose = { rows: 200_000, bytes: mostWaiting.bytes / 2 };

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

/** @param loose from when on what is left of batches is copied out of them */
export function createIntakeQueue(loose: Loose = mostLoose): IntakeQueue {
  return new NewestOfEachSlot(loose);
}

type Loose = typeof mostLoose;

class NewestOfEachSlot implements IntakeQueue {
  #waiting: Waiting[] = [];
  #results = 0;
  /** Of batches of which anything is left, those that were let go included. */
  #rows = 0;
  readonly #loose: Loose;
  #looseAt: Loose;
  readonly #newest = new Map<string, Place>();
  readonly #memory = createMemoryTally();

  constructor(loose: Loose) {
    this.#loose = loose;
    this.#looseAt = loose;
  }

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
    const { count } = rows;
    const arrival: Waiting = { of, rows, gone: new Uint8Array(count), held: count, count };
    this.#waiting.push(arrival);
    this.#results += count;
    this.#keep(arrival);
    for (let row = 0; row < count; row++) this.#hold(arrival, row);
    if (this.#rows > this.#looseAt.rows || this.bytes > this.#looseAt.bytes) this.#compact();
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
    this.#looseAt = this.#loose;
    return this.#waiting.splice(0, count).map((arrival) => this.#taken(arrival));
  }

  clear(): void {
    this.#waiting = [];
    this.#results = 0;
    this.#rows = 0;
    this.#looseAt = this.#loose;
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
    arrival.rows.names[row] = "";
    arrival.held -= 1;
    this.#results -= 1;
    if (arrival.held === 0) this.#replace(arrival, noRows);
  }

  /** Copies what is left of batches of which most was let go. Of no use before there is twice as much again, or less. */
  #compact(): void {
    for (const arrival of this.#waiting) {
      if (arrival.held === 0 || arrival.held * 2 > arrival.rows.count) continue;
      this.#replace(arrival, arrival.rows.copied(keptRows(arrival)));
      for (const [row, name] of arrival.rows.names.entries()) {
        const place = this.#newest.get(name);
        if (place !== undefined) place.row = row;
      }
    }
    this.#looseAt = {
      rows: Math.max(this.#loose.rows, 2 * this.#rows),
      bytes: Math.max(this.#loose.bytes, 2 * this.bytes),
    };
  }

  #replace(arrival: Waiting, rows: ResultRows): void {
    this.#release(arrival);
    arrival.rows = rows;
    arrival.gone = new Uint8Array(rows.count);
    this.#keep(arrival);
  }

  #keep(arrival: Waiting): void {
    this.#rows += arrival.rows.count;
    for (const buffer of buffersOf(arrival)) this.#memory.keep(buffer);
  }

  #release(arrival: Waiting): void {
    this.#rows -= arrival.rows.count;
    for (const buffer of buffersOf(arrival)) this.#memory.release(buffer);
  }

  #taken(arrival: Waiting): Arrival {
    const { of, rows, count } = arrival;
    this.#release(arrival);
    const kept = keptRows(arrival);
    for (const row of kept) this.#newest.delete(rows.names[row] ?? "");
    return {
      ...of,
      results: kept.map((row) => rows.result(row)),
      records: (indexes) => rows.records(indexes.map((index) => kept[index] ?? -1)),
      superseded: count - kept.length,
    };
  }
}

function buffersOf({ of, rows }: Waiting): (ArrayBufferLike | undefined)[] {
  return [rows.buffer, ...of.refused.map(({ key, value }) => (value ?? key)?.buffer)];
}

function keptRows({ rows, gone }: Waiting): number[] {
  const kept: number[] = [];
  for (let row = 0; row < rows.count; row++) if (gone[row] === 0) kept.push(row);
  return kept;
}

const noRows = decodedRows([], [], "");

/** An arrival of which results are let go. */
type Waiting = {
  readonly of: Omit<Arriving, "rows">;
  rows: ResultRows;
  /** 1 for a row that was let go. */
  gone: Uint8Array;
  /** Rows that are left. */
  held: number;
  /** Rows that came. */
  readonly count: number;
};

/** Moved to the row that supersedes, instead of making another for each. */
type Place = { arrival: Waiting; row: number };

/** A view keeps all of its buffer alive, which may be that of a whole fetch: it counts once, for whoever uses it. */
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
