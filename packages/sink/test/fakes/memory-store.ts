import type { ResultDocument } from "@adstream/contracts/documents";

import type { DocumentStore, DocumentUpdate, WriteOutcome } from "../../src/ports.ts";

export type MemoryStore = DocumentStore & {
  readonly documents: Map<string, ResultDocument>;
  /** Every document ever written, in order. */
  readonly history: ResultDocument[];
  readonly calls: { finds: number; writes: number };
};

/** One write inside a bulk of an in-memory server: true when it changed something. */
export type WriteStep = () => "matched" | "upserted" | "missed";

/** What MongoDB does with the calls of the port, one write at a time, in memory. */
export function memoryStore(): MemoryStore {
  const documents = new Map<string, ResultDocument>();
  const history: ResultDocument[] = [];
  const calls = { finds: 0, writes: 0 };

  function save(document: ResultDocument): void {
    documents.set(document._id, structuredClone(document));
    history.push(structuredClone(document));
  }

  return {
    documents,
    history,
    calls,
    async find(ids) {
      calls.finds += 1;
      const found = ids.flatMap((id) => documents.get(id) ?? []);
      return new Map(found.map((document) => [document._id, structuredClone(document)]));
    },
    async write(updates, inserts) {
      calls.writes += 1;
      return runBulk(bulkSteps(documents, save, updates, inserts));
    },
  };
}

export function runBulk(steps: readonly WriteStep[]): WriteOutcome {
  const results = steps.map((step) => step());
  return {
    matched: results.filter((result) => result === "matched").length,
    upserted: results.filter((result) => result === "upserted").length,
  };
}

export function bulkSteps(
  documents: ReadonlyMap<string, ResultDocument>,
  save: (document: ResultDocument) => void,
  updates: readonly DocumentUpdate[],
  inserts: readonly ResultDocument[],
): WriteStep[] {
  return [
    ...updates.map(({ id, rev, set }) => () => {
      const present = documents.get(id);
      if (present?.rev !== rev) return "missed" as const;
      save({ ...present, ...set });
      return "matched" as const;
    }),
    ...inserts.map((document) => () => {
      if (documents.has(document._id)) return "matched" as const;
      save(document);
      return "upserted" as const;
    }),
  ];
}
