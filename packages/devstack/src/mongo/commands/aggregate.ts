import { countArgument, documentArgument, documentsArgument, textArgument } from "../arguments.ts";
import type { Command } from "../command.ts";
import { firstBatch } from "../cursors.ts";
import { CommandError } from "../errors.ts";
import { runPipeline, type ReadCollection } from "../pipeline.ts";
import { namespaceOf } from "../store.ts";
import { field } from "../values.ts";

/** `aggregate`: `pipeline`, `cursor.batchSize`, on a collection. */
export const aggregate: Command = (command, { store, cursors }) => {
  const database = textArgument(command, "$db");
  if (typeof field(command, "aggregate") !== "string") {
    throw new CommandError(238, "aggregate without a collection is not supported");
  }
  if (field(command, "explain") === true) throw new CommandError(238, "explain is not supported");
  const namespace = namespaceOf(database, textArgument(command, "aggregate"));
  const read: ReadCollection = (name) =>
    store.collections.get(namespaceOf(database, name))?.documents.values() ?? [];
  const results = runPipeline(
    store.collections.get(namespace),
    documentsArgument(command, "pipeline"),
    read,
  );
  return firstBatch(
    cursors,
    namespace,
    results,
    countArgument(documentArgument(command, "cursor"), "batchSize"),
  );
};
