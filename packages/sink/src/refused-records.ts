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
  return arrivals.flatMap(({ results, record, refused }) => {
    if (reasons.size === 0) return refused;
    const ofDocuments = results.flatMap((result, index) => {
      const reason = reasons.get(documentId(result));
      return reason === undefined ? [] : [{ ...record(index), reason }];
    });
    return [...refused, ...ofDocuments].toSorted((a, b) => a.offset - b.offset);
  });
}
