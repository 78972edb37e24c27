import { calculateObjectSize, Int32, ObjectId } from "bson";
import { valueKey } from "./compare.ts";
import { CommandError } from "./errors.ts";
import type { Filter } from "./filter.ts";
import { compileIndex, duplicateKey, indexKeys, sameIndex, type Index } from "./indexes.ts";
import { field, typeName, type Document } from "./values.ts";

/** MongoDB's limit for one document. */
export const maxDocumentBytes = 16 * 1024 * 1024;

/** What happened to a collection; enough to replay it. */
export type StoreChange =
  | { readonly kind: "put"; readonly namespace: string; readonly document: Document }
  | { readonly kind: "remove"; readonly namespace: string; readonly id: unknown }
  | { readonly kind: "create"; readonly namespace: string }
  | { readonly kind: "drop"; readonly namespace: string }
  | { readonly kind: "createIndex"; readonly namespace: string; readonly spec: Document }
  | { readonly kind: "dropIndex"; readonly namespace: string; readonly name: string };

/** Documents in insertion order by `_id` key, and the indexes besides `_id_`. */
export type Collection = {
  readonly namespace: string;
  readonly documents: Map<string, Document>;
  readonly indexes: Map<string, Index>;
  readonly changed: (change: StoreChange) => void;
};

const idPattern: Document = { _id: new Int32(1) };

/** Specification of the index every collection has. */
export const idIndexSpec: Document = { v: 2, key: idPattern, name: "_id_" };

/**
 * Adds a document, with an ObjectId when it has no `_id`, and returns it as stored.
 *
 * @throws CommandError 11000 when the `_id` or a unique key is taken, 10334 when it is too large
 */
export function insertDocument(collection: Collection, given: Document): Document {
  const document = withIdFirst(given);
  const key = valueKey(document["_id"]);
  refuseBadDocument(document);
  if (collection.documents.has(key)) {
    throw duplicateKey(collection.namespace, "_id_", idPattern, document);
  }
  enterIndexes(collection, key, undefined, document);
  collection.documents.set(key, document);
  collection.changed({ kind: "put", namespace: collection.namespace, document });
  return document;
}

/** Puts `next` in the place of `old`, which has the same `_id`. @throws CommandError as `insertDocument` */
export function replaceDocument(collection: Collection, old: Document, next: Document): void {
  const key = valueKey(old["_id"]);
  refuseBadDocument(next);
  enterIndexes(collection, key, old, next);
  collection.documents.set(key, next);
  collection.changed({ kind: "put", namespace: collection.namespace, document: next });
}

/** Removes a stored document. */
export function removeDocument(collection: Collection, document: Document): void {
  const key = valueKey(document["_id"]);
  for (const index of collection.indexes.values()) {
    for (const entry of index.unique ? indexKeys(index, document) : []) index.entries.delete(entry);
  }
  collection.documents.delete(key);
  collection.changed({ kind: "remove", namespace: collection.namespace, id: document["_id"] });
}

/** The documents that match, in insertion order; by key where the filter pins `_id`. */
export function* findDocuments(
  collection: Collection,
  filter: Filter,
): Generator<Document, undefined> {
  if (filter.idKeys === undefined) {
    for (const document of collection.documents.values())
      if (filter.matches(document)) yield document;
    return undefined;
  }
  for (const key of filter.idKeys) {
    const document = collection.documents.get(key);
    if (document !== undefined && filter.matches(document)) yield document;
  }
  return undefined;
}

/**
 * Adds an index; the same one again changes nothing and returns false.
 *
 * @throws CommandError 85 or 86 when the name or the key is taken by another, 11000 on duplicates
 */
export function createIndex(collection: Collection, spec: Document): boolean {
  const index = compileIndex(spec);
  if (index.name === "_id_" || Object.keys(index.key).join(",") === "_id") return false;
  const named = collection.indexes.get(index.name);
  if (named !== undefined) {
    if (sameIndex(named, index)) return false;
    throw new CommandError(
      86,
      `An existing index has the same name as the requested index: ${index.name}`,
    );
  }
  refuseSameKey(collection, index);
  for (const [key, document] of index.unique ? collection.documents : []) {
    for (const entry of indexKeys(index, document)) {
      if (index.entries.has(entry))
        throw duplicateKey(collection.namespace, index.name, index.key, document);
      index.entries.set(entry, key);
    }
  }
  collection.indexes.set(index.name, index);
  collection.changed({ kind: "createIndex", namespace: collection.namespace, spec });
  return true;
}

/** Removes an index. @throws CommandError 27 when there is none of that name */
export function dropIndex(collection: Collection, name: string): void {
  if (name === "_id_") throw new CommandError(72, "cannot drop _id index");
  if (!collection.indexes.delete(name))
    throw new CommandError(27, `index not found with name [${name}]`);
  collection.changed({ kind: "dropIndex", namespace: collection.namespace, name });
}

function withIdFirst(document: Document): Document {
  const id = field(document, "_id");
  if (id === undefined) return { _id: new ObjectId(), ...document };
  return Object.keys(document)[0] === "_id" ? document : { _id: id, ...document };
}

function refuseBadDocument(document: Document): void {
  const type = typeName(document["_id"]);
  if (type === "array" || type === "regex" || type === "missing") {
    throw new CommandError(53, `The '_id' value cannot be of type ${type}`);
  }
  const bytes = calculateObjectSize(document);
  if (bytes > maxDocumentBytes) {
    throw new CommandError(
      10334,
      `object to insert too large. size in bytes: ${bytes}, max size: ${maxDocumentBytes}`,
    );
  }
}

/** Checks every unique index before it changes one, so a refused write leaves no trace. */
function enterIndexes(
  collection: Collection,
  key: string,
  old: Document | undefined,
  next: Document,
): void {
  const unique = [...collection.indexes.values()].filter((index) => index.unique);
  const additions = unique.map((index) => ({ index, keys: indexKeys(index, next) }));
  for (const { index, keys } of additions) {
    if (keys.some((entry) => (index.entries.get(entry) ?? key) !== key)) {
      throw duplicateKey(collection.namespace, index.name, index.key, next);
    }
  }
  for (const { index, keys } of additions) {
    for (const entry of old === undefined ? [] : indexKeys(index, old)) index.entries.delete(entry);
    for (const entry of keys) index.entries.set(entry, key);
  }
}

function refuseSameKey(collection: Collection, index: Index): void {
  for (const other of collection.indexes.values()) {
    if (valueKey(other.key) === valueKey(index.key)) {
      throw new CommandError(85, `Index already exists with a different name: ${other.name}`);
    }
  }
}
