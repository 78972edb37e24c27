import type { AdStats } from "@adstream/contracts/ad-stats";
import {
  type AdStatsDocument,
  documentId,
  type Slot,
  slotName,
} from "@adstream/contracts/documents";

/** The id of the document a result belongs to. */
export function resultDocumentId(result: AdStats): string {
  return documentId(result.window_start, result.ad_id);
}

/**
 * Folds results of one (ad, window) into its document; per slot the highest version wins.
 *
 * Order and repeats do not matter. `rev` is one more than before, 1 in a new document.
 *
 * @returns undefined when no result is newer than its slot: there is nothing to write
 */
export function mergeResults(
  document: AdStatsDocument | undefined,
  results: Iterable<AdStats>,
  updatedAt: Date,
): AdStatsDocument | undefined {
  const slots = new Map<string, Slot>(Object.entries(document?.slots ?? {}));
  let newer: AdStats | undefined;
  for (const result of results) {
    const name = slotName(result.slot);
    const present = slots.get(name);
    if (present !== undefined && present.version >= result.version) continue;
    slots.set(name, slotOf(result));
    newer = result;
  }
  if (newer === undefined) return undefined;
  return {
    _id: document?._id ?? resultDocumentId(newer),
    ad_id: newer.ad_id,
    window: { start: new Date(newer.window_start), end: new Date(newer.window_end) },
    ...totals(slots),
    updated_at: updatedAt,
    rev: (document?.rev ?? 0) + 1,
  };
}

function slotOf(result: AdStats): Slot {
  const { version, status, count, total_clicks, total_views, total_cost } = result;
  return { version, status, count, total_clicks, total_views, total_cost };
}

/** Floats are summed in slot order, so the same slots give the same bits whoever sums them. */
function totals(
  slots: ReadonlyMap<string, Slot>,
): Omit<AdStatsDocument, "_id" | "ad_id" | "window" | "updated_at" | "rev"> {
  const ordered = [...slots].sort(([a], [b]) => slotNumber(a) - slotNumber(b));
  let count = 0;
  let clicks = 0;
  let views = 0;
  let cost = 0;
  for (const [, slot] of ordered) {
    count += slot.count;
    clicks += slot.total_clicks;
    views += slot.total_views;
    cost += slot.total_cost;
  }
  return {
    count,
    total_clicks: clicks,
    total_views: views,
    total_cost: cost,
    avg_clicks: perEvent(clicks, count),
    avg_views: perEvent(views, count),
    avg_cost: perEvent(cost, count),
    avg_cost_per_view: views === 0 ? null : cost / views,
    status: statusOf(ordered.map(([, slot]) => slot)),
    slots: Object.fromEntries(ordered),
  };
}

function slotNumber(name: string): number {
  return Number(name.slice(1));
}

/** A document without events has averages of 0. */
function perEvent(total: number, count: number): number {
  return count === 0 ? 0 : total / count;
}

/**
 * Slots emptied by an upgrade (protocol 2.6) say nothing about the others. A document of nothing else stays, as a corrected
 * one of 0 events: removed, it would come back with the next result that an older process had on its way.
 */
function statusOf(slots: readonly Slot[]): AdStatsDocument["status"] {
  const filled = slots.filter(({ count }) => count > 0);
  if (filled.length === 0) return "corrected";
  if (filled.some(({ status }) => status === "early")) return "early";
  return filled.some(({ status }) => status === "corrected") ? "corrected" : "final";
}
