import { adStatsShape } from "@adstream/contracts/ad-stats";
import {
  documentId,
  type ResultDocument,
  type ResultSlot,
  slotName,
} from "@adstream/contracts/documents";
import { figureOf, type Result, type ResultShape } from "@adstream/contracts/result-shape";

/** The id of the document a result belongs to. @param shape without it that of ad-stats, here and below */
export function resultDocumentId(result: Result, shape: ResultShape = adStatsShape): string {
  return documentId(result.window_start, String(result[shape.key]));
}

/**
 * Folds results of one (key, window) into its document; per slot the highest version wins.
 *
 * Order and repeats do not matter. `rev` is one more than before, 1 in a new document.
 *
 * @returns undefined when no result is newer than its slot: there is nothing to write
 */
export function mergeResults(
  document: ResultDocument | undefined,
  results: Iterable<Result>,
  updatedAt: Date,
  shape: ResultShape = adStatsShape,
): ResultDocument | undefined {
  const slots = new Map<string, ResultSlot>(Object.entries(document?.slots ?? {}));
  let newer: Result | undefined;
  for (const result of results) {
    const name = slotName(result.slot);
    const present = slots.get(name);
    if (present !== undefined && present.version >= result.version) continue;
    slots.set(name, slotOf(result, shape));
    newer = result;
  }
  if (newer === undefined) return undefined;
  const ordered = [...slots].sort(([a], [b]) => slotNumber(a) - slotNumber(b));
  const values = ordered.map(([, slot]) => slot);
  return {
    _id: document?._id ?? resultDocumentId(newer, shape),
    [shape.key]: newer[shape.key],
    window: { start: new Date(newer.window_start), end: new Date(newer.window_end) },
    ...totals(values, shape),
    status: statusOf(values),
    slots: Object.fromEntries(ordered),
    updated_at: updatedAt,
    rev: (document?.rev ?? 0) + 1,
  };
}

function slotOf(result: Result, { figures }: ResultShape): ResultSlot {
  const { version, status, count } = result;
  const values = figures.map(({ name }): [string, number] => [name, figureOf(result, name)]);
  return { version, status, count, ...Object.fromEntries(values) };
}

/** Floats are summed in slot order, so the same slots give the same bits whoever sums them. */
function totals(
  slots: readonly ResultSlot[],
  { figures, ratios }: ResultShape,
): { count: number } & Record<string, number | null> {
  let count = 0;
  for (const slot of slots) count += slot.count;
  // What slots without records say of a maximum means nothing.
  const filled = slots.filter((slot) => slot.count > 0);
  const sums = new Map([["count", count]]);
  const fields: Record<string, number | null> = {};
  for (const { name, combine } of figures) {
    if (combine === "max") {
      fields[name] =
        filled.length === 0 ? null : Math.max(...filled.map((slot) => figureOf(slot, name)));
      continue;
    }
    let sum = 0;
    for (const slot of slots) sum += figureOf(slot, name);
    sums.set(name, sum);
    fields[name] = sum;
  }
  for (const { name, of, per, otherwise } of ratios) {
    const divisor = sums.get(per) ?? 0;
    fields[name] = divisor === 0 ? otherwise : (sums.get(of) ?? 0) / divisor;
  }
  return { count, ...fields };
}

function slotNumber(name: string): number {
  return Number(name.slice(1));
}

/**
 * Slots emptied by an upgrade (protocol 2.6) say nothing about the others. A document of nothing else stays, as a corrected
 * one of 0 events: removed, it would come back with the next result that an older process had on its way.
 */
function statusOf(slots: readonly ResultSlot[]): ResultDocument["status"] {
  const filled = slots.filter(({ count }) => count > 0);
  if (filled.length === 0) return "corrected";
  if (filled.some(({ status }) => status === "early")) return "early";
  return filled.some(({ status }) => status === "corrected") ? "corrected" : "final";
}
