import {
  createIndex,
  dropIndex,
  insertDocument,
  removeDocument,
  replaceDocument,
  type Collection,
  type StoreChange,
} from "./collection.ts";
import { valueKey } from "./compare.ts";
import { CommandError } from "./errors.ts";

/** All collections by namespace (`database.collection`). */
export type Store = {
  readonly collections: Map<string, Collection>;
  /** Told of each change after it happened, within the command that made it. */
  readonly changed: (change: StoreChange) => void;
};

/** An empty store. */
export function createStore(changed: (change: StoreChange) => void): Store {
  return { collections: new Map(), changed };
}

/** The collection of a namespace, made when it does not exist. @throws CommandError 73 for a bad name */
export function openCollection(store: Store, database: string, name: string): Collection {
  const namespace = namespaceOf(database, name);
  const existing = store.collections.get(namespace);
  if (existing !== undefined) return existing;
  const { changed } = store;
  const collection = { namespace, documents: new Map(), indexes: new Map(), changed };
  store.collections.set(namespace, collection);
  changed({ kind: "create", namespace });
  return collection;
}

/** `database.collection`. @throws CommandError 73 when a part is empty or not allowed */
export function namespaceOf(database: string, name: string): string {
  const badDatabase = database === "" || database.length > 63 || /[/\\. "$\0]/.test(database);
  const badName = name === "" || name.startsWith(".") || /[$\0]/.test(name);
  if (badDatabase || badName)
    throw new CommandError(73, `Invalid namespace specified '${database}.${name}'`);
  return `${database}.${name}`;
}

/** Removes a collection; false when there was none. */
export function dropCollection(store: Store, namespace: string): boolean {
  const dropped = store.collections.delete(namespace);
  if (dropped) store.changed({ kind: "drop", namespace });
  return dropped;
}

/** Collections of a database, by name. */
export function collectionsOf(store: Store, database: string): Collection[] {
  const prefix = `${database}.`;
  return [...store.collections.values()]
    .filter(({ namespace }) => namespace.startsWith(prefix))
    .toSorted((a, b) => (a.namespace < b.namespace ? -1 : 1));
}

/** Repeats a change that was recorded earlier. */
export function replayChange(store: Store, change: StoreChange): void {
  const separator = change.namespace.indexOf(".");
  const collection = openCollection(
    store,
    change.namespace.slice(0, separator),
    change.namespace.slice(separator + 1),
  );
  switch (change.kind) {
    case "put": {
      const old = collection.documents.get(valueKey(change.document["_id"]));
      if (old === undefined) insertDocument(collection, change.document);
      else replaceDocument(collection, old, change.document);
      break;
    }
    case "remove": {
      const old = collection.documents.get(valueKey(change.id));
      if (old !== undefined) removeDocument(collection, old);
      break;
    }
    case "drop":
      dropCollection(store, change.namespace);
      break;
    case "createIndex":
      createIndex(collection, change.spec);
      break;
    case "dropIndex":
      dropIndex(collection, change.name);
      break;
    case "create":
      break;
  }
}
