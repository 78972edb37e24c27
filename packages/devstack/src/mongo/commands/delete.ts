import { documentArgument, documentsArgument, flagArgument } from "../arguments.ts";
import { findDocuments, removeDocument } from "../collection.ts";
import { runStatements, targetCollection, type Command } from "../command.ts";
import { compileFilter } from "../filter.ts";

/** `delete`: statements of `{q, limit}` with limit 0 for all, `ordered`. */
export const remove: Command = (command, context) => {
  const collection = targetCollection(command, "delete", context);
  let n = 0;
  const errors = runStatements(command, documentsArgument(command, "deletes"), (statement) => {
    const found = findDocuments(collection, compileFilter(documentArgument(statement, "q")));
    for (const document of flagArgument(statement, "limit") ? found.take(1) : found) {
      removeDocument(collection, document);
      n++;
    }
  });
  return { n, ...errors, ok: 1 };
};
