import type { Result } from "@adstream/contracts/result-shape";

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
  readonly results: readonly Result[];
  /** The record of each result, in the same order. */
  readonly records: readonly SourceRecord[];
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
export type Arrival = Arriving & {
  /** Results that were let go. */
  readonly superseded: number;
};

/** At these no more is read. What comes while a bulk is written may supersede what waits; about 900 bytes a result. */
const mostWaiting = { arrivals: 10_000, results: 10_000, bytes: 32 * 1024 * 1024 };

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

/** @param documentId of a result; with its slot it names what a newer version supersedes */
export function createIntakeQueue(documentId: (result: Result) => string): IntakeQueue {
  let waiting: Waiting[] = [];
  let results = 0;
  const newest = new Map<string, Held>();
  const memory = createMemoryTally();

  function letGo({ arrival, at }: Held): void {
    arrival.results[at] = undefined;
    arrival.records[at] = undefined;
    arrival.held -= 1;
    results -= 1;
    if (arrival.held === 0) memory.release(arrival.buffer);
  }

  function taken(arrival: Waiting): Arrival {
    if (arrival.held > 0) memory.release(arrival.buffer);
    const kept = arrival.results.filter((result) => result !== undefined);
    for (const [at, slot] of arrival.slots.entries()) {
      if (arrival.results[at] !== undefined) newest.delete(slot);
    }
    const records = arrival.records.filter((record) => record !== undefined);
    const superseded = arrival.results.length - kept.length;
    return { ...arrival.of, results: kept, records, superseded };
  }

  return {
    get arrivals() {
      return waiting.length;
    },
    get results() {
      return results;
    },
    get bytes() {
      return memory.bytes;
    },
    add(of) {
      const arrival = waitingOf(of);
      waiting.push(arrival);
      results += arrival.held;
      if (arrival.held > 0) memory.keep(arrival.buffer);
      for (const [at, result] of of.results.entries()) {
        const slot = `${documentId(result)} ${result.slot}`;
        arrival.slots.push(slot);
        const other = newest.get(slot);
        const held = { arrival, at, version: result.version };
        if (other === undefined || other.version < result.version) newest.set(slot, held);
        if (other !== undefined) letGo(other.version < result.version ? other : held);
      }
    },
    take(maxResults) {
      let count = 0;
      let held = 0;
      for (const arrival of waiting) {
        if (count > 0 && held + arrival.held > maxResults) break;
        count += 1;
        held += arrival.held;
      }
      results -= held;
      const oldest = waiting.slice(0, count);
      waiting = waiting.slice(count);
      return oldest.map(taken);
    },
    clear() {
      waiting = [];
      results = 0;
      newest.clear();
      memory.clear();
    },
  };
}

/** An arrival of which results are let go. */
type Waiting = {
  readonly of: Omit<Arriving, "results" | "records">;
  readonly results: (Result | undefined)[];
  readonly records: (SourceRecord | undefined)[];
  /** Of each result. */
  readonly slots: string[];
  /** Results that are left. */
  held: number;
  /** In which its records lie. */
  readonly buffer: ArrayBufferLike | undefined;
};

type Held = { readonly arrival: Waiting; readonly at: number; readonly version: bigint };

function waitingOf({ results, records, ...of }: Arriving): Waiting {
  const buffer = records.find(({ value }) => value !== null)?.value?.buffer;
  const held = results.length;
  return { of, results: [...results], records: [...records], slots: [], held, buffer };
}

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
