import type { ResultApplier } from "./apply-results.ts";
import type { Arrival, RefusedRecord } from "./intake-queue.ts";
import type { Refusal } from "./ports.ts";

/** The records that get into no document: no results, or of documents that MongoDB refuses. In the order of the log. */
export function refusedRecords(
  arrivals: readonly Arrival[],
  refusals: readonly Refusal[],
  documentId: ResultApplier["documentId"],
): RefusedRecord[] {
  const reasons = new Map(refusals.map(({ id, reason }) => [id, reason]));
  return arrivals.flatMap(({ results, records, refused }) => {
    if (reasons.size === 0) return refused;
    const why = results.map((result) => reasons.get(documentId(result)));
    const indexes = [...why.keys()].filter((index) => why[index] !== undefined);
    const ofDocuments = records(indexes).map((record, at) => {
      return { ...record, reason: why[indexes[at] ?? -1] ?? "" };
    });
    return [...refused, ...ofDocuments].toSorted((a, b) => a.offset - b.offset);
  });
}
