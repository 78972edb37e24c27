import { documentsArgument } from "../arguments.ts";
import { createIndex } from "../collection.ts";
import { target, targetCollection, type Command } from "../command.ts";

/** `createIndexes`: existing ones again are no error. */
export const createIndexes: Command = (command, context) => {
  const existed = context.store.collections.has(target(command, "createIndexes").namespace);
  const collection = targetCollection(command, "createIndexes", context);
  const before = collection.indexes.size + 1;
  for (const spec of documentsArgument(command, "indexes")) createIndex(collection, spec);
  const after = collection.indexes.size + 1;
  return {
    numIndexesBefore: before,
    numIndexesAfter: after,
    createdCollectionAutomatically: !existed,
    ...(before === after && { note: "all indexes already exist" }),
    ok: 1,
  };
};
