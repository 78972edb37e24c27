import type { Result } from "@adstream/contracts/result-shape";
import type { ResultDocument } from "@adstream/contracts/documents";
import type { StreamError } from "@adstream/engine/errors";

import type { DocumentUpdate, Refusal } from "./ports.ts";

/** What became of one batch; documents, except for `written`. */
export type ApplyOutcome = {
  readonly updated: number;
  readonly inserted: number;
  /** Documents that held everything already: older or repeated results. */
  readonly stale: number;
  /** Times the batch, or a rest of it, was read and tried again because somebody wrote in between. */
  readonly races: number;
  /** Times it was tried again because the store did not answer. */
  readonly outages: number;
  readonly refused: readonly Refusal[];
  /** The results that changed documents: the newest of each slot. */
  readonly written: readonly Result[];
};

/** Newest result of each slot, by document id. */
export type Pending = Map<string, Map<number, Result>>;

/** One find where the cache lacked documents, and one bulk. */
export type Round = {
  readonly updates: readonly DocumentUpdate[];
  readonly inserts: readonly ResultDocument[];
  /** Documents that hold everything already. */
  readonly current: readonly string[];
  readonly refused: readonly Refusal[];
  /** Whether everything that was left is written. */
  readonly complete: boolean;
  /** Why it is not known what was written. */
  readonly failure?: StreamError;
};

export interface ApplyTally {
  /** Counts a round and takes what it settled out of `pending`. */
  add(round: Round, pending: Pending): void;
  outcome(races: number, outages: number): ApplyOutcome;
}

export function createTally(): ApplyTally {
  /** Ids of an unfinished round: found current afterwards, that round did reach the store. */
  const attempted = new Map<string, "updated" | "inserted">();
  const counts = { updated: 0, inserted: 0, stale: 0 };
  const refused: Refusal[] = [];
  const written: Result[] = [];

  function settle(id: string, kind: "updated" | "inserted" | "stale", pending: Pending): void {
    counts[kind] += 1;
    if (kind !== "stale") written.push(...(pending.get(id)?.values() ?? []));
    pending.delete(id);
  }

  return {
    add(round, pending) {
      for (const id of round.current) settle(id, attempted.get(id) ?? "stale", pending);
      for (const refusal of round.refused) {
        refused.push(refusal);
        pending.delete(refusal.id);
      }
      for (const { id } of round.updates) {
        if (round.complete) settle(id, "updated", pending);
        else attempted.set(id, "updated");
      }
      for (const { _id } of round.inserts) {
        if (round.complete) settle(_id, "inserted", pending);
        else attempted.set(_id, "inserted");
      }
    },
    outcome: (races, outages) => ({ ...counts, races, outages, refused, written }),
  };
}
