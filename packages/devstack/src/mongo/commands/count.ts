import { countArgument, documentArgument } from "../arguments.ts";
import { findDocuments } from "../collection.ts";
import { target, type Command } from "../command.ts";
import { compileFilter } from "../filter.ts";

/** `count`: `query`, `skip`, `limit`. */
export const count: Command = (command, { store }) => {
  const collection = store.collections.get(target(command, "count").namespace);
  const filter = compileFilter(documentArgument(command, "query"));
  if (collection === undefined) return { n: 0, ok: 1 };
  const skip = countArgument(command, "skip") ?? 0;
  const limit = countArgument(command, "limit") || Infinity;
  const n = findDocuments(collection, filter)
    .drop(skip)
    .take(limit)
    .reduce((sum) => sum + 1, 0);
  return { n, ok: 1 };
};
