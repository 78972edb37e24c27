import type { AdStatsDocument } from "@adstream/contracts/documents";

/** Documents as we last wrote them, at most `maxDocuments`; the least recently used goes first. */
export interface DocumentCache {
  get(id: string): AdStatsDocument | undefined;
  put(document: AdStatsDocument): void;
  drop(id: string): void;
  clear(): void;
  readonly size: number;
}

/** A cache only saves reads: the compare-and-set notices when it is wrong. */
export function createDocumentCache(maxDocuments: number): DocumentCache {
  // A Map keeps insertion order, so its first key is the one used longest ago.
  const documents = new Map<string, AdStatsDocument>();
  return {
    get size() {
      return documents.size;
    },
    get(id) {
      const document = documents.get(id);
      if (document === undefined) return undefined;
      documents.delete(id);
      documents.set(id, document);
      return document;
    },
    put(document) {
      documents.delete(document._id);
      documents.set(document._id, document);
      if (documents.size <= maxDocuments) return;
      const oldest = documents.keys().next();
      if (!oldest.done) documents.delete(oldest.value);
    },
    drop(id) {
      documents.delete(id);
    },
    clear() {
      documents.clear();
    },
  };
}
