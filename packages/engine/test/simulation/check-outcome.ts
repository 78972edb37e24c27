import type { AdStats } from "../../../contracts/src/ad-stats.ts";
import {
  type ResultDocument,
  documentId,
  type ResultSlot,
} from "../../../contracts/src/documents.ts";
import { mergeResults, resultDocumentId } from "../../../sink/src/merge.ts";
import { lineage, type SimulatedStore } from "./checkpoint-store.ts";
import type { InputTopic } from "./input-log.ts";
import type { Truth, TrueSlot } from "./oracle.ts";
import { gapsOf, headersOf, prefixTruth } from "./prefix-truth.ts";
import { type AsideRecord, type SimulatedResults, slotKey } from "./result-log.ts";
import type { Settings } from "./settings.ts";
import type { World } from "./world.ts";

type Outcome = {
  readonly settings: Settings;
  readonly input: InputTopic;
  readonly store: SimulatedStore;
  readonly results: SimulatedResults;
  readonly documents: ReadonlyMap<string, ResultDocument>;
  /** What cleaning leaves of a partition of the results topic. */
  readonly compact: (rows: readonly AdStats[]) => readonly AdStats[];
};

const epochBits = 48n;

/** Compares everything that came out with the truth, once nothing moves any more. */
export function checkOutcome(world: World, outcome: Outcome): void {
  const { results } = outcome;
  const truths = outcome.input.partitions.map((_, partition) =>
    truthOfPartition(world, outcome, partition),
  );
  checkPublished(world, outcome, truths);
  checkDocuments(world, outcome, outcome.documents, truths);
  const rebuilt = rebuild(
    outcome.results.topic.partitions.map(({ entries }) => outcome.compact(entries)),
  );
  checkDocuments(world, outcome, rebuilt, truths, "rebuilt ");
  for (const [partition, truth] of truths.entries()) {
    const deadLate = { dead: results.dead, late: results.late };
    const turned = results.supersededMs.has(partition);
    const rotten =
      turned ||
      [...(outcome.store.histories.get(partition)?.values() ?? [])].some((stored) => stored.rotten);
    checkAside(
      world,
      `dead letters of p${partition}`,
      deadLate.dead,
      truth.dead,
      partition,
      rotten,
    );
    const late = new Map([...truth.late].map((offset) => [offset, 0]));
    checkAside(world, `late records of p${partition}`, deadLate.late, late, partition, rotten);
  }
}

function truthOfPartition(world: World, outcome: Outcome, partition: number): Truth {
  const { settings, input, store } = outcome;
  const line = lineage(store.top(partition));
  const { entries = [] } = input.partitions[partition] ?? {};
  const truth = prefixTruth(settings, entries, line);
  const headers = headersOf(line);
  const gaps = gapsOf(headers);
  const gone = (offset: number): boolean =>
    gaps.some(({ from, to }) => offset >= from && offset <= to);
  for (const { seq, log: at, counts, operator = [] } of headers) {
    // Before the gap was accepted its records were counted, as far as anybody read them.
    if (operator.length < (headers.at(-1)?.operator ?? []).length) continue;
    const count = {
      in: entries
        .slice(0, at.nextOffset)
        .filter(({ kind }, offset) => kind === "record" && !gone(offset)).length,
      late: [...truth.late].filter((offset) => offset < at.nextOffset).length,
      dead: [...truth.dead.keys()].filter((offset) => offset < at.nextOffset).length,
      duplicates: [...truth.duplicates].filter((offset) => offset < at.nextOffset).length,
    };
    if (counts.duplicates > 0) world.saw("duplicate");
    if (JSON.stringify(count) === JSON.stringify(counts)) continue;
    world.violated(
      `p${partition}/${seq} counts ${JSON.stringify(counts)}, the log says ${JSON.stringify(count)}`,
    );
  }
  return truth;
}

function checkPublished(world: World, outcome: Outcome, truths: readonly Truth[]): void {
  const { settings, results } = outcome;
  const expected = new Set<string>();
  for (const [slot, truth] of truths.entries()) {
    for (const want of truth.slots.values()) {
      if (settings.beats.onlyFinal && want.status === "early") continue;
      const key = slotKey({ ...want, slot });
      expected.add(key);
      const found = results.newest.get(key);
      const difference = found === undefined ? "nothing" : slotDifference(found, want);
      if (difference !== undefined) world.violated(`published ${key}: ${difference}`);
    }
  }
  for (const key of results.newest.keys()) {
    if (expected.has(key) || leftBehind(outcome, key)) continue;
    world.violated(`published ${key}: the log does not say so`);
  }
}

/**
 * Whether a slot that the log knows nothing of is what an upgrade leaves: emptied, or sent by the old code before it and
 * appended only after the new code had looked, which is all that nobody can outrank. A turn publishes open windows as they
 * stand, also where nobody wants early results.
 */
function leftBehind(outcome: Outcome, key: string): boolean {
  const { settings, results } = outcome;
  const row = results.newest.get(key);
  if (row === undefined) return false;
  const sinceMs = results.supersededMs.get(row.slot);
  if (sinceMs === undefined) return false;
  const standing = settings.beats.onlyFinal && row.status === "early";
  return row.count === 0 || standing || (results.appendedMs.get(key) ?? 0) > sinceMs;
}

function slotDifference(found: AdStats, want: TrueSlot): string | undefined {
  const { slot: _slot, version, ...figures } = found;
  const plain = { ...figures, version: Number(BigInt.asUintN(Number(epochBits), version)) };
  return differenceOf({ ...plain }, { ...want });
}

function differenceOf(
  found: Readonly<Record<string, unknown>>,
  want: Readonly<Record<string, unknown>>,
): string | undefined {
  for (const [name, value] of Object.entries(want)) {
    const is = found[name];
    const near =
      typeof is === "number" && typeof value === "number"
        ? Math.abs(is - value) <= 1e-9 * Math.max(1, Math.abs(value))
        : is === value;
    if (!near) return `${name} is ${String(is)}, should be ${String(value)}`;
  }
  return undefined;
}

/** What another sink would make of the results topic, read from its beginning. */
function rebuild(partitions: readonly (readonly AdStats[])[]): Map<string, ResultDocument> {
  const rows = Map.groupBy(partitions.flat(), (row) => resultDocumentId(row));
  const documents = new Map<string, ResultDocument>();
  for (const [id, ofOne] of rows) {
    const document = mergeResults(undefined, ofOne, new Date(0));
    if (document !== undefined) documents.set(id, document);
  }
  return documents;
}

function checkDocuments(
  world: World,
  outcome: Outcome,
  documents: ReadonlyMap<string, ResultDocument>,
  truths: readonly Truth[],
  which = "",
): void {
  const expected = new Map<string, Map<number, TrueSlot>>();
  for (const [partition, truth] of truths.entries()) {
    for (const slot of truth.slots.values()) {
      if (outcome.settings.beats.onlyFinal && slot.status === "early") continue;
      const id = documentId(slot.window_start, slot.ad_id);
      expected.set(id, (expected.get(id) ?? new Map()).set(partition, slot));
    }
  }
  for (const [id, document] of documents) {
    const { length } = extraSlots(outcome, document, new Map());
    if (expected.has(id) || length === Object.keys(document.slots).length) continue;
    world.violated(`${which}document ${id}: the log does not say so`);
  }
  for (const [id, slots] of expected) {
    const document = documents.get(id);
    const difference =
      document === undefined ? "missing" : documentDifference(outcome, document, slots);
    if (difference !== undefined) world.violated(`${which}document ${id}: ${difference}`);
  }
}

/** Slots that an upgrade left behind. */
function extraSlots(
  outcome: Outcome,
  { ad_id: adId, window, slots }: ResultDocument,
  want: ReadonlyMap<number, TrueSlot>,
): ResultSlot[] {
  return Object.entries(slots).flatMap(([name, slot]) => {
    const partition = Number(name.slice(1));
    const row = { window_start: window.start.getTime(), ad_id: String(adId), slot: partition };
    return !want.has(partition) && leftBehind(outcome, slotKey(row)) ? slot : [];
  });
}

function documentDifference(
  outcome: Outcome,
  document: ResultDocument,
  want: ReadonlyMap<number, TrueSlot>,
): string | undefined {
  const extra = extraSlots(outcome, document, want);
  const sum = (name: "count" | "total_clicks" | "total_views" | "total_cost"): number =>
    [...want.values(), ...extra].reduce((total, slot) => total + Number(slot[name]), 0);
  const [count, views, cost] = [sum("count"), sum("total_views"), sum("total_cost")];
  const statuses = new Set(
    [...want.values(), ...extra.filter(({ count }) => count > 0)].map(({ status }) => status),
  );
  const whole = differenceOf(
    { ...document, slots: Object.keys(document.slots).length },
    {
      slots: want.size + extra.length,
      count,
      total_clicks: sum("total_clicks"),
      total_views: views,
      total_cost: cost,
      avg_cost: cost / count,
      avg_cost_per_view: views === 0 ? null : cost / views,
      status: (["early", "corrected"] as const).find((one) => statuses.has(one)) ?? "final",
    },
  );
  if (whole !== undefined) return whole;
  for (const [partition, slot] of want) {
    const { version, status, count, total_clicks, total_views, total_cost } = slot;
    const figures = { version, status, count, total_clicks, total_views, total_cost };
    const found = document.slots[`p${partition}`];
    const plain = { ...found, version: Number(BigInt.asUintN(48, found?.version ?? 0n)) };
    const difference = differenceOf(plain, figures);
    if (difference !== undefined) return `p${partition} ${difference}`;
  }
  return undefined;
}

/** Each must be there; more than once only when something went wrong in between, since a flush precedes a rejoin. */
function checkAside(
  world: World,
  what: string,
  found: readonly AsideRecord[],
  want: ReadonlyMap<number, number>,
  partition: number,
  rotten: boolean,
): void {
  const seen = new Set<number>();
  for (const { offset, reason } of found.filter((one) => one.partition === partition)) {
    if (seen.has(offset) && !world.unclean) world.violated(`${what}: ${offset} twice`);
    seen.add(offset);
    // A decision that was lost with its checkpoint has been taken for a while.
    if (want.get(offset) !== reason && !rotten) world.violated(`${what}: ${offset} is none`);
  }
  for (const offset of want.keys()) {
    if (!seen.has(offset)) world.violated(`${what}: ${offset} is missing`);
  }
}
