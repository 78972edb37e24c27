import { calculateObjectSize, Long } from "bson";
import { CommandError } from "./errors.ts";
import type { Document } from "./values.ts";

/** Open cursors; each holds the rest of a result that was complete when it was asked for. */
export type Cursors = {
  readonly open: Map<bigint, { readonly namespace: string; rest: readonly Document[] }>;
  nextId: bigint;
};

/** MongoDB's size of a first batch nobody sized. */
export const firstBatchDocuments = 101;

/** More cursors than this and the oldest is closed: clients that vanish must not fill memory. */
const maxCursors = 1_000;

/** A reply stays below the limit of a document, with room for its own fields. */
const maxBatchBytes = 16 * 1024 * 1024 - 16_384;

/** No cursor open. */
export function createCursors(): Cursors {
  return { open: new Map(), nextId: 1n };
}

/** The reply that starts a cursor; its id is 0 when the first batch holds everything. */
export function firstBatch(
  cursors: Cursors,
  namespace: string,
  documents: readonly Document[],
  batchSize = firstBatchDocuments,
): Document {
  const count = countWithin(documents, batchSize);
  if (count === documents.length) return cursorReply("firstBatch", documents, 0n, namespace);
  const id = cursors.nextId++;
  cursors.open.set(id, { namespace, rest: documents.slice(count) });
  for (const oldest of cursors.open.size > maxCursors ? cursors.open.keys().take(1) : [])
    cursors.open.delete(oldest);
  return cursorReply("firstBatch", documents.slice(0, count), id, namespace);
}

/** A reply with a whole small result and no cursor. */
export function singleBatch(namespace: string, documents: readonly Document[]): Document {
  return cursorReply("firstBatch", documents, 0n, namespace);
}

/** The next batch. @throws CommandError 43 when the cursor is not open */
export function nextBatch(cursors: Cursors, id: bigint, batchSize = Infinity): Document {
  const cursor = cursors.open.get(id);
  if (cursor === undefined) throw new CommandError(43, `cursor id ${id} not found`);
  const count = countWithin(cursor.rest, batchSize === 0 ? Infinity : batchSize);
  const documents = cursor.rest.slice(0, count);
  cursor.rest = cursor.rest.slice(count);
  const done = cursor.rest.length === 0;
  if (done) cursors.open.delete(id);
  return cursorReply("nextBatch", documents, done ? 0n : id, cursor.namespace);
}

/** How many documents fit into a batch; at least one, so that a cursor always gets on. */
function countWithin(documents: readonly Document[], batchSize: number): number {
  const most = Math.min(documents.length, batchSize);
  let bytes = 0;
  for (let count = 0; count < most; count++) {
    bytes += calculateObjectSize(documents[count] ?? {}) + 8;
    if (bytes > maxBatchBytes && count > 0) return count;
  }
  return most;
}

function cursorReply(
  batch: "firstBatch" | "nextBatch",
  documents: readonly Document[],
  id: bigint,
  namespace: string,
): Document {
  return { cursor: { [batch]: documents, id: Long.fromBigInt(id), ns: namespace }, ok: 1 };
}
