import { countArgument, documentArgument, flagArgument } from "../arguments.ts";
import { findDocuments } from "../collection.ts";
import { target, type Command } from "../command.ts";
import { firstBatch, singleBatch } from "../cursors.ts";
import { compileFilter } from "../filter.ts";
import { compileProjection } from "../projection.ts";
import { sortDocuments } from "../sort.ts";

/** `find`: `filter`, `projection`, `sort`, `skip`, `limit`, `batchSize`, `singleBatch`. */
export const find: Command = (command, { store, cursors }) => {
  const { namespace } = target(command, "find");
  const filter = compileFilter(documentArgument(command, "filter"));
  const project = compileProjection(documentArgument(command, "projection"));
  const sort = documentArgument(command, "sort");
  const skip = countArgument(command, "skip") ?? 0;
  const limit = countArgument(command, "limit") || Infinity;
  const collection = store.collections.get(namespace);
  if (collection === undefined) return singleBatch(namespace, []);
  const found = findDocuments(collection, filter);
  const ordered =
    Object.keys(sort).length === 0
      ? [...found.drop(skip).take(limit)]
      : sortDocuments([...found], sort).slice(skip, skip + limit);
  const documents = ordered.map(project);
  const batchSize = countArgument(command, "batchSize");
  if (!flagArgument(command, "singleBatch"))
    return firstBatch(cursors, namespace, documents, batchSize);
  return singleBatch(namespace, documents.slice(0, batchSize));
};
