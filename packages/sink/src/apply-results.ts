import { adStatsShape } from "@adstream/contracts/ad-stats";
import type { Result, ResultShape } from "@adstream/contracts/result-shape";
import type { ResultDocument } from "@adstream/contracts/documents";
import { StreamError } from "@adstream/engine/errors";
import type { Clock } from "@adstream/engine/ports";

import { type ApplyOutcome, createTally, type Pending, type Round } from "./apply-tally.ts";
import { backoffMs, outageBackoff, raceBackoff } from "./backoff.ts";
import { createDocumentCache, type DocumentCache } from "./document-cache.ts";
import { mergeResults, resultDocumentId } from "./merge.ts";
import { otherIndex } from "./mongo-errors.ts";
import type {
  DocumentFigures,
  DocumentStore,
  DocumentUpdate,
  Refusal,
  WriteOutcome,
} from "./ports.ts";

/** Tells people and metrics what apply is waiting for; never changes what it does. */
export type ApplyObserver = {
  outage(error: StreamError, attempt: number, delayMs: number): void;
  /** Another writer, or a lost response: `documents` are read again. */
  race(documents: number, attempt: number): void;
};

export type ApplierOptions = {
  readonly store: DocumentStore;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly observer: ApplyObserver;
  /** Of the job's results; without it that of ad-stats. */
  readonly shape?: ResultShape;
  readonly cacheDocuments?: number;
};

/**
 * Writes results into the document store by merge and compare-and-set (protocol 2.4).
 *
 * Delivery guarantee: when `apply` resolves, every slot holds, on a majority, the version given or a higher one; any
 * number of writers and repeats change nothing about that. Until then it retries, in outages for ever.
 * Back pressure: one call at a time; the caller holds the batch until it resolves.
 */
export interface ResultApplier {
  /**
   * @throws the signal's reason when it aborts; any part may be written, and applying again is harmless
   * @throws {StreamError} whatever the store throws that is not for retry
   */
  apply(results: readonly Result[], signal: AbortSignal): Promise<ApplyOutcome>;
  /** Of the document that a result belongs to. */
  readonly documentId: (result: Result) => string;
  /** Forgets the documents; at every join, since others have written meanwhile. */
  forget(): void;
}

/** About 1 KiB each; holds the open windows of 10,000 ads and more. */
const defaultCacheDocuments = 50_000;
/** A result comes at every change of a window, a last one when it closes; one that comes later costs a read. */
const cacheIdleMs = 5 * 60_000;
/** Of one insert, in a row. Twice may be somebody who inserts and deletes. */
const maxContests = 3;

export function createResultApplier(options: ApplierOptions): ResultApplier {
  const cache = createDocumentCache({
    maxDocuments: options.cacheDocuments ?? defaultCacheDocuments,
    maxIdleMs: cacheIdleMs,
    nowMs: () => options.clock.nowMs(),
  });
  return {
    apply: (results, signal) => applyUntilDone(options, cache, results, signal),
    documentId: (result) => resultDocumentId(result, options.shape),
    forget: () => {
      cache.clear();
    },
  };
}

async function applyUntilDone(
  options: ApplierOptions,
  cache: DocumentCache,
  results: readonly Result[],
  signal: AbortSignal,
): Promise<ApplyOutcome> {
  const pending = coalesce(results, options.shape);
  const tally = createTally();
  const contests = new Map<string, number>();
  let races = 0;
  let outages = 0;
  let outagesInRow = 0;
  while (true) {
    signal.throwIfAborted();
    const round = await attempt(options, cache, pending, contests);
    tally.add(round, pending);
    if (round.complete) return tally.outcome(races, outages);
    for (const id of pending.keys()) cache.drop(id);
    if (round.failure === undefined) {
      options.observer.race(pending.size, races);
      // The first repeat is free: a lost race is usually over by the time we hear of it.
      const delayMs = races === 0 ? 0 : backoffMs(races - 1, raceBackoff, options.random);
      if (delayMs > 0) await options.clock.sleep(delayMs, signal);
      races += 1;
      outagesInRow = 0;
      continue;
    }
    const delayMs = backoffMs(outagesInRow, outageBackoff, options.random);
    options.observer.outage(round.failure, outagesInRow, delayMs);
    await options.clock.sleep(delayMs, signal);
    outages += 1;
    outagesInRow += 1;
  }
}

/** One find where the cache lacks documents, one bulk. A failure that asks for a retry is part of the round. */
async function attempt(
  { store, clock, shape = adStatsShape }: ApplierOptions,
  cache: DocumentCache,
  pending: Pending,
  contests: Map<string, number>,
): Promise<Round> {
  let round: Round = { updates: [], inserts: [], current: [], refused: [], complete: false };
  try {
    const { known, refused } = await readDocuments(store, cache, pending);
    const unreadable = new Set(refused.map(({ id }) => id));
    const merge = { updatedAt: new Date(clock.wallMs()), shape };
    const { merged, ...plan } = planWrites(pending, known, unreadable, merge);
    round = { ...plan, refused, complete: merged.length === 0 };
    if (round.complete) return round;
    const outcome = await store.write(plan.updates, plan.inserts);
    const complete = succeeded(plan, outcome);
    if (complete) for (const document of merged) cache.put(document);
    const barred = settleContests(contests, outcome.contested ?? []);
    return { ...round, refused: [...refused, ...(outcome.refused ?? []), ...barred], complete };
  } catch (error) {
    if (!(error instanceof StreamError) || error.disposition !== "retry") throw error;
    return { ...round, failure: error };
  }
}

/**
 * An id that another writer inserted is found when it is read again. One that is not there, and cannot be inserted,
 * again and again, has a value that another unique index holds already.
 */
function settleContests(contests: Map<string, number>, contested: readonly string[]): Refusal[] {
  const before = new Map(contests);
  contests.clear();
  for (const id of contested) contests.set(id, (before.get(id) ?? 0) + 1);
  const barred = [...contests].filter(([, times]) => times >= maxContests);
  return barred.map(([id]) => ({ id, reason: otherIndex }));
}

function succeeded(
  plan: Pick<Round, "updates" | "inserts">,
  { matched, upserted, refused = [], contested = [] }: WriteOutcome,
): boolean {
  const untouched = refused.length === 0 && contested.length === 0;
  return untouched && matched === plan.updates.length && upserted === plan.inserts.length;
}

async function readDocuments(
  store: DocumentStore,
  cache: DocumentCache,
  pending: Pending,
): Promise<{ known: Map<string, ResultDocument>; refused: Refusal[] }> {
  const known = new Map<string, ResultDocument>();
  const missing: string[] = [];
  for (const id of pending.keys()) {
    const cached = cache.get(id);
    if (cached === undefined) missing.push(id);
    else known.set(id, cached);
  }
  const refused: Refusal[] = [];
  if (missing.length === 0) return { known, refused };
  for (const [id, found] of await store.find(missing)) {
    if (refuses(found)) {
      refused.push(found);
      continue;
    }
    known.set(id, found);
    cache.put(found);
  }
  return { known, refused };
}

function refuses(found: ResultDocument | Refusal): found is Refusal {
  return !("slots" in found);
}

function planWrites(
  pending: Pending,
  known: ReadonlyMap<string, ResultDocument>,
  unreadable: ReadonlySet<string>,
  { updatedAt, shape }: { readonly updatedAt: Date; readonly shape: ResultShape },
): Pick<Round, "updates" | "inserts" | "current"> & { readonly merged: ResultDocument[] } {
  const closed: DocumentUpdate[] = [];
  const open: DocumentUpdate[] = [];
  const inserts: ResultDocument[] = [];
  const current: string[] = [];
  const merged: ResultDocument[] = [];
  for (const [id, slots] of pending) {
    if (unreadable.has(id)) continue;
    const before = known.get(id);
    const after = mergeResults(before, slots.values(), updatedAt, shape);
    if (after === undefined) {
      current.push(id);
      continue;
    }
    merged.push(after);
    if (before === undefined) inserts.push(after);
    else {
      const updates = after.status === "early" ? open : closed;
      updates.push({ id, rev: before.rev, set: figures(after, shape) });
    }
  }
  // Stores come to them one after the other, and finals are waited for.
  return { updates: [...closed, ...open], inserts, current, merged };
}

/** Everything but what never changes. */
function figures(document: ResultDocument, { key }: ResultShape): DocumentFigures {
  const { _id: _sameId, [key]: _sameKey, window: _sameWindow, ...rest } = document;
  const { count, status, slots, updated_at, rev } = document;
  return { ...rest, count, status, slots, updated_at, rev };
}

function coalesce(results: readonly Result[], shape?: ResultShape): Pending {
  const pending: Pending = new Map();
  for (const result of results) {
    const id = resultDocumentId(result, shape);
    const slots = pending.get(id) ?? new Map<number, Result>();
    pending.set(id, slots);
    const present = slots.get(result.slot);
    if (present === undefined || present.version < result.version) slots.set(result.slot, result);
  }
  return pending;
}
