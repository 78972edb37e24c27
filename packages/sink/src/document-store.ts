import assert from "node:assert/strict";

import { adStatsShape } from "@adstream/contracts/ad-stats";
import type { ResultDocument } from "@adstream/contracts/documents";
import type { ResultShape } from "@adstream/contracts/result-shape";
import { type AnyBulkWriteOperation, type Collection, Long } from "mongodb";

import { documentDecoder, encodeFigures } from "./document-codec.ts";
import { bulkWriteErrors, otherIndex, refusesDocument, translated } from "./mongo-errors.ts";
import type { DocumentStore, DocumentUpdate, Refusal, WriteOutcome } from "./ports.ts";

/** A document as the driver takes and gives it. */
export type RawDocument = { _id: string } & Record<string, unknown>;

/**
 * Documents in a MongoDB collection, in plain operators only: an update pipeline could read data as expressions.
 *
 * @param shape of the job's results; without it that of ad-stats
 *
 * Reads are of majority read concern: a slot seen on a primary that is about to lose an election must not make a
 * result look stale.
 */
export function mongoDocumentStore(
  collection: Collection<RawDocument>,
  server: string,
  shape: ResultShape = adStatsShape,
): DocumentStore {
  const decode = documentDecoder(shape);
  return {
    find: (ids) => translated(server, () => findDocuments(collection, ids, decode)),
    write: (updates, inserts) =>
      translated(server, () => writeDocuments(collection, updates, inserts)),
  };
}

async function findDocuments(
  collection: Collection<RawDocument>,
  ids: readonly string[],
  decode: ReturnType<typeof documentDecoder>,
): Promise<Map<string, ResultDocument | Refusal>> {
  const found = new Map<string, ResultDocument | Refusal>();
  if (ids.length === 0) return found;
  for (const id of ids) assertText(id);
  const cursor = collection.find(
    { _id: { $in: [...ids] } },
    // One more than can come, so that the first answer is the whole one.
    { promoteLongs: false, batchSize: ids.length + 1 },
  );
  for await (const raw of cursor) {
    const reason = "the document in MongoDB under this id is not one of ours";
    found.set(raw._id, decode(raw) ?? { id: raw._id, reason });
  }
  return found;
}

async function writeDocuments(
  collection: Collection<RawDocument>,
  updates: readonly DocumentUpdate[],
  inserts: readonly ResultDocument[],
): Promise<WriteOutcome> {
  const operations = [...updates.map(updateOperation), ...inserts.map(insertOperation)];
  if (operations.length === 0) return { matched: 0, upserted: 0 };
  try {
    const result = await collection.bulkWrite(operations, { ordered: false });
    return { matched: result.matchedCount, upserted: result.upsertedCount };
  } catch (error) {
    const errors = bulkWriteErrors(error);
    if (errors === undefined) throw error;
    const refused: Refusal[] = [];
    const contested: string[] = [];
    for (const writeError of errors) {
      const { index, errmsg = "refused by MongoDB" } = writeError;
      const [update, insert] = [updates[index], inserts[index - updates.length]];
      const id = update?.id ?? insert?._id;
      if (id === undefined) continue;
      if (refusesDocument(writeError)) refused.push({ id, reason: errmsg });
      // An update leaves the id as it is, so the index is not that of ids.
      else if (update !== undefined) refused.push({ id, reason: otherIndex });
      else contested.push(id);
    }
    // Of no use as counts: something was not written, so the caller reads again.
    return { matched: 0, upserted: 0, refused, contested };
  }
}

function updateOperation({ id, rev, set }: DocumentUpdate): AnyBulkWriteOperation<RawDocument> {
  assertText(id);
  return {
    updateOne: {
      filter: { _id: id, rev: Long.fromNumber(rev) },
      update: { $set: encodeFigures(set) },
    },
  };
}

function insertOperation(document: ResultDocument): AnyBulkWriteOperation<RawDocument> {
  const { _id, ...rest } = document;
  assertText(_id);
  const { count, status, slots, updated_at, rev } = document;
  const figures = encodeFigures({ ...rest, count, status, slots, updated_at, rev });
  const update = { $setOnInsert: figures };
  return { updateOne: { filter: { _id }, update, upsert: true } };
}

/** An object in the place of an id would reach MongoDB as an operator. */
function assertText(value: unknown): asserts value is string {
  assert.equal(typeof value, "string", "ids are text");
}
