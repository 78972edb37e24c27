import type { ResultDocument } from "@adstream/contracts/documents";

/** Documents as we last wrote them. What was not used for too long goes, and above the bound what was used longest ago. */
export interface DocumentCache {
  get(id: string): ResultDocument | undefined;
  put(document: ResultDocument): void;
  drop(id: string): void;
  clear(): void;
  readonly size: number;
}

export type CacheBounds = {
  readonly maxDocuments: number;
  /** Windows close, and nobody asks for their documents any more: without it every window ever seen is kept up to the bound. */
  readonly maxIdleMs: number;
  /** Monotonic. */
  readonly nowMs: () => number;
};

/** Of the bound, room that is made at once where it is reached. */
const roomShare = 1 / 16;
const idleLookEveryMs = 1_000;

type Entry = { readonly document: ResultDocument; readonly usedMs: number };

/** A cache only saves reads: the compare-and-set notices when it is wrong. */
export function createDocumentCache({
  maxDocuments,
  maxIdleMs,
  nowMs,
}: CacheBounds): DocumentCache {
  // A Map keeps insertion order, so its first entry is the one used longest ago. The way to it leads over all that was
  // deleted since the Map made itself anew, tens of thousands of places: it is gone seldom, and then for many.
  const entries = new Map<string, Entry>();
  let lookedMs = nowMs();
  const use = (document: ResultDocument): void => {
    entries.delete(document._id);
    entries.set(document._id, { document, usedMs: nowMs() });
  };
  const trim = (atMs: number): void => {
    lookedMs = atMs;
    const idleSinceMs = atMs - maxIdleMs;
    const room = entries.size > maxDocuments ? Math.floor(maxDocuments * roomShare) : 0;
    for (const [id, { usedMs }] of entries) {
      if (entries.size <= maxDocuments - room && usedMs >= idleSinceMs) break;
      entries.delete(id);
    }
  };
  return {
    get size() {
      return entries.size;
    },
    get(id) {
      const document = entries.get(id)?.document;
      if (document !== undefined) use(document);
      return document;
    },
    put(document) {
      use(document);
      const atMs = nowMs();
      if (entries.size > maxDocuments || atMs - lookedMs >= idleLookEveryMs) trim(atMs);
    },
    drop(id) {
      entries.delete(id);
    },
    clear() {
      entries.clear();
    },
  };
}
