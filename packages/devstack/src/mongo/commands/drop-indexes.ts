import { dropIndex, type Collection } from "../collection.ts";
import { target, type Command } from "../command.ts";
import { valueKey } from "../compare.ts";
import { CommandError } from "../errors.ts";
import { isDocument } from "../values.ts";

/** `dropIndexes`: by name, by names, by key, or `*` for all but `_id_`. */
export const dropIndexes: Command = (command, { store }) => {
  const { namespace } = target(command, "dropIndexes");
  const collection = store.collections.get(namespace);
  if (collection === undefined) throw new CommandError(26, `ns not found ${namespace}`);
  const nIndexesWas = collection.indexes.size + 1;
  for (const name of indexNames(collection, command["index"])) dropIndex(collection, name);
  return { nIndexesWas, ok: 1 };
};

function indexNames(collection: Collection, wanted: unknown): string[] {
  if (wanted === "*") return [...collection.indexes.keys()];
  if (typeof wanted === "string") return [wanted];
  if (Array.isArray(wanted)) return wanted.map(String);
  const named = collection.indexes
    .values()
    .find(({ key }) => isDocument(wanted) && valueKey(key) === valueKey(wanted));
  if (named === undefined) throw new CommandError(27, "can't find index with that key");
  return [named.name];
}
