import type { ResultDocument } from "@adstream/contracts/documents";

/** The figures of a document: what an update replaces, the next `rev` and `updated_at` included. */
export type DocumentFigures = Pick<
  ResultDocument,
  "count" | "status" | "slots" | "updated_at" | "rev"
> & {
  readonly [figure: string]: unknown;
};

/** Replaces the figures of the document `id` if its revision still is `rev`. */
export type DocumentUpdate = {
  readonly id: string;
  readonly rev: number;
  readonly set: DocumentFigures;
};

/** A document the store will not take or cannot give, whatever is tried: too large, against a validator, not ours. */
export type Refusal = { readonly id: string; readonly reason: string };

export type WriteOutcome = {
  /** Writes that found their document. An insert whose document was there already may count here as well. */
  readonly matched: number;
  /** Documents that did not exist and do now. */
  readonly upserted: number;
  /** Left out where nothing was refused. */
  readonly refused?: readonly Refusal[];
  /** Ids whose insert a unique index refused: somebody else inserted them, or the index is another than that of ids. */
  readonly contested?: readonly string[];
};

/** Home of the documents. Every backend passes `describeDocumentStore`. */
export interface DocumentStore {
  /**
   * The documents with these ids, as a majority of the servers holds them; ids without a document are left out.
   * @throws {StreamError} SERVER_UNAVAILABLE (retry), NOT_AUTHORIZED
   */
  find(ids: readonly string[]): Promise<ReadonlyMap<string, ResultDocument | Refusal>>;
  /**
   * One unordered bulk: compare-and-set updates, and inserts that leave a document alone which is there already.
   * Everything happened, durably on a majority, if and only if it resolves with `matched` = updates, `upserted` =
   * inserts and nothing refused. After any other outcome, a rejection included, any part of it may have happened.
   * @throws {StreamError} SERVER_UNAVAILABLE (retry), NOT_AUTHORIZED
   */
  write(
    updates: readonly DocumentUpdate[],
    inserts: readonly ResultDocument[],
  ): Promise<WriteOutcome>;
}
