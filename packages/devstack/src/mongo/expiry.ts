import { removeDocument } from "./collection.ts";
import { valuesAt } from "./paths.ts";
import type { Store } from "./store.ts";

/** Removes documents whose date under a TTL index is old enough; arrays count by their earliest date. */
export function expireDocuments(store: Store, nowMs: number): number {
  let expired = 0;
  for (const collection of store.collections.values()) {
    for (const { paths, covers, expireAfterSeconds } of collection.indexes.values()) {
      const [path] = paths;
      if (expireAfterSeconds === undefined || path === undefined) continue;
      const expiredMs = nowMs - expireAfterSeconds * 1_000;
      for (const document of collection.documents.values()) {
        const dates = valuesAt(document, path)
          .flat()
          .filter((value) => value instanceof Date);
        if (!covers(document) || !dates.some((date) => date.getTime() <= expiredMs)) continue;
        removeDocument(collection, document);
        expired++;
      }
    }
  }
  return expired;
}
