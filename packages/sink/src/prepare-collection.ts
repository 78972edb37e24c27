import { type Collection, type IndexDescriptionInfo, MongoServerError } from "mongodb";

import type { RawDocument } from "./document-store.ts";

/** Name of the index that expires results; nobody else's index is ever changed. */
const ttlIndex = "adstream_result_ttl";

const namespaceNotFound = 26;
const indexNotFound = 27;

/**
 * Creates the indexes of the collection, and the collection with them. Repeats change nothing.
 *
 * @param resultTtlMs results are removed this long after the end of their window; null keeps them for ever, and ends
 * an expiry that was set before
 */
export async function prepareCollection(
  collection: Collection<RawDocument>,
  resultTtlMs: number | null,
  keyField: string,
): Promise<void> {
  await collection.createIndexes([
    { key: { [keyField]: 1, "window.start": -1 } },
    { key: { "window.start": -1 } },
  ]);
  const present = (await listIndexes(collection)).find(({ name }) => name === ttlIndex);
  const seconds = resultTtlMs === null ? undefined : Math.ceil(resultTtlMs / 1_000);
  if (present?.expireAfterSeconds === seconds) return;
  if (present !== undefined && seconds !== undefined && (await changeTtl(collection, seconds))) {
    return;
  }
  if (present !== undefined) await dropTtl(collection);
  if (seconds === undefined) return;
  await collection.createIndex(
    { "window.end": 1 },
    { name: ttlIndex, expireAfterSeconds: seconds },
  );
}

async function listIndexes(collection: Collection<RawDocument>): Promise<IndexDescriptionInfo[]> {
  try {
    return await collection.listIndexes().toArray();
  } catch (error) {
    // Somebody dropped the collection just now; it comes back with the first document.
    if (hasCode(error, namespaceNotFound)) return [];
    throw error;
  }
}

/** Changes the time in place; false where the server cannot, and the index has to be built again. */
async function changeTtl(collection: Collection<RawDocument>, seconds: number): Promise<boolean> {
  try {
    await collection.db.command({
      collMod: collection.collectionName,
      index: { name: ttlIndex, expireAfterSeconds: seconds },
    });
    return true;
  } catch (error) {
    if (error instanceof MongoServerError) return false;
    throw error;
  }
}

async function dropTtl(collection: Collection<RawDocument>): Promise<void> {
  try {
    await collection.dropIndex(ttlIndex);
  } catch (error) {
    if (!hasCode(error, indexNotFound)) throw error;
  }
}

function hasCode(error: unknown, code: number): boolean {
  return error instanceof MongoServerError && error.code === code;
}
