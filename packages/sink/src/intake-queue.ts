import type { AdStats } from "@adstream/contracts/ad-stats";

/** Results of one record batch, and where its partition goes on. */
export type Arrival = {
  readonly partition: number;
  readonly nextOffset: number;
  /** Highest Kafka timestamp in the batch, epoch ms. */
  readonly maxTimestamp: number;
  readonly results: readonly AdStats[];
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
