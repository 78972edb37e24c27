import type { AdStats } from "../../../contracts/src/ad-stats.ts";
import { type AdStatsDocument, documentId } from "../../../contracts/src/documents.ts";
import { rejectCode } from "../../src/columns.ts";
import { lineage, type SimulatedStore } from "./checkpoint-store.ts";
import { type InputLog, unknownSchema } from "./input-log.ts";
import { type Truth, truthOf, type TrueSlot } from "./oracle.ts";
import { strangeSchema } from "./producer.ts";
import { type AsideRecord, type SimulatedResults, slotKey } from "./result-log.ts";
import type { Settings } from "./settings.ts";
import { Task } from "../../src/task.ts";
import type { World } from "./world.ts";

type Outcome = {
  readonly settings: Settings;
  readonly log: InputLog;
  readonly store: SimulatedStore;
  readonly results: SimulatedResults;
  readonly documents: ReadonlyMap<string, AdStatsDocument>;
};

const epochBits = 48n;

/** Compares everything that came out with the truth, once nothing moves any more. */
export function checkOutcome(world: World, outcome: Outcome): void {
  const truths = outcome.log.map((_, partition) => truthOfPartition(world, outcome, partition));
  checkPublished(world, outcome, truths);
  checkDocuments(world, outcome, truths);
  for (const [partition, truth] of truths.entries()) {
    const deadLate = { dead: outcome.results.dead, late: outcome.results.late };
    const rotten = [...(outcome.store.histories.get(partition)?.values() ?? [])].some(
      (stored) => stored.rotten,
    );
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
  const { settings, log, store } = outcome;
  const { windowed } = settings.job;
  const line = lineage(store.top(partition));
  const entries = log[partition] ?? [];
  const headers = line.flatMap(({ frame }) =>
    frame.header.kind === "checkpoint" ? frame.header : [],
  );
  const decisions = headers.flatMap((header) => header.decisions);
  const deadSchemaFrom = line.find(
    ({ frame }) => Task.restore(windowed, partition, frame.payload).unknownSchemas.size > 0,
  )?.frame.header;
  const from =
    deadSchemaFrom?.kind === "checkpoint"
      ? deadSchemaFrom.log.nextOffset
      : Number.POSITIVE_INFINITY;
  const truth = truthOf(
    {
      sizeMs: windowed.window.sizeMs,
      slideMs: windowed.window.slideMs,
      delayMs: windowed.watermarkDelayMs,
      latenessMs: windowed.allowedLatenessMs,
      maxFutureMs: windowed.maxFutureMs,
    },
    entries,
    decisions,
    { from, schema: strangeSchema },
    { unknownSchema, ahead: rejectCode("event time ahead of the record") },
  );
  for (const { seq, log: at, counts } of headers) {
    const count = {
      in: entries.slice(0, at.nextOffset).filter(({ kind }) => kind === "record").length,
      late: [...truth.late].filter((offset) => offset < at.nextOffset).length,
      dead: [...truth.dead.keys()].filter((offset) => offset < at.nextOffset).length,
    };
    if (JSON.stringify(count) === JSON.stringify(counts)) continue;
    world.violated(
      `p${partition}/${seq} counts ${JSON.stringify(counts)}, the log says ${JSON.stringify(count)}`,
    );
  }
  return truth;
}

function checkPublished(
  world: World,
  { settings, results }: Outcome,
  truths: readonly Truth[],
): void {
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
    if (!expected.has(key)) world.violated(`published ${key}: the log does not say so`);
  }
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

function checkDocuments(world: World, outcome: Outcome, truths: readonly Truth[]): void {
  const { settings, documents } = outcome;
  const expected = new Map<string, Map<number, TrueSlot>>();
  for (const [partition, truth] of truths.entries()) {
    for (const slot of truth.slots.values()) {
      if (settings.beats.onlyFinal && slot.status === "early") continue;
      const id = documentId(slot.window_start, slot.ad_id);
      expected.set(id, (expected.get(id) ?? new Map()).set(partition, slot));
    }
  }
  for (const id of documents.keys()) {
    if (!expected.has(id)) world.violated(`document ${id}: the log does not say so`);
  }
  for (const [id, slots] of expected) {
    const document = documents.get(id);
    const difference = document === undefined ? "missing" : documentDifference(document, slots);
    if (difference !== undefined) world.violated(`document ${id}: ${difference}`);
  }
}

function documentDifference(
  document: AdStatsDocument,
  want: ReadonlyMap<number, TrueSlot>,
): string | undefined {
  const names = [...want.keys()].map((partition) => `p${partition}`);
  const sum = (name: "count" | "total_clicks" | "total_views" | "total_cost"): number =>
    [...want.values()].reduce((total, slot) => total + slot[name], 0);
  const [count, views, cost] = [sum("count"), sum("total_views"), sum("total_cost")];
  const statuses = new Set([...want.values()].map(({ status }) => status));
  const whole = differenceOf(
    { ...document, slots: Object.keys(document.slots).sort().join() },
    {
      slots: names.sort().join(),
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
