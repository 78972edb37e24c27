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
export type Arrival = ReadBatch & {
  readonly partition: number;
  readonly nextOffset: number;
  /** Tells the batch from any other that could lie there. */
  readonly canary: string;
  /** Highest Kafka timestamp in the batch, epoch ms. */
  readonly maxTimestamp: number;
};

/** Arrivals in order; bounded by its user, who asks `results` before it adds. */
export interface IntakeQueue {
  readonly arrivals: number;
  readonly results: number;
  add(arrival: Arrival): void;
  /** The oldest arrivals: as many as hold `maxResults` results, and at least one where there is one. */
  take(maxResults: number): Arrival[];
  clear(): void;
}

export function createIntakeQueue(): IntakeQueue {
  let waiting: Arrival[] = [];
  let results = 0;
  return {
    get arrivals() {
      return waiting.length;
    },
    get results() {
      return results;
    },
    add(arrival) {
      waiting.push(arrival);
      results += arrival.results.length;
    },
    take(maxResults) {
      let taken = 0;
      let held = 0;
      for (const arrival of waiting) {
        if (taken > 0 && held + arrival.results.length > maxResults) break;
        taken += 1;
        held += arrival.results.length;
      }
      results -= held;
      const oldest = waiting.slice(0, taken);
      waiting = waiting.slice(taken);
      return oldest;
    },
    clear() {
      waiting = [];
      results = 0;
    },
  };
}
