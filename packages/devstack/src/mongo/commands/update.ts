import { documentArgument, documentsArgument, flagArgument } from "../arguments.ts";
import { findDocuments, insertDocument, replaceDocument, type Collection } from "../collection.ts";
import { runStatements, targetCollection, type Command } from "../command.ts";
import { CommandError } from "../errors.ts";
import { compileFilter } from "../filter.ts";
import { compileUpdate } from "../update.ts";
import type { Document } from "../values.ts";

/** `update`: statements of `{q, u, multi, upsert, arrayFilters}`, `ordered`. */
export const update: Command = (command, context) => {
  const collection = targetCollection(command, "update", context);
  let n = 0;
  let nModified = 0;
  const upserted: Document[] = [];
  const errors = runStatements(
    command,
    documentsArgument(command, "updates"),
    (statement, index) => {
      const outcome = runStatement(collection, statement, context.nowMs());
      n += outcome.matched;
      nModified += outcome.modified;
      if (outcome.inserted === undefined) return;
      n++;
      upserted.push({ index, _id: outcome.inserted["_id"] });
    },
  );
  return { n, nModified, ...(upserted.length > 0 && { upserted }), ...errors, ok: 1 };
};

type Outcome = { matched: number; modified: number; inserted?: Document };

function runStatement(collection: Collection, statement: Document, nowMs: number): Outcome {
  const query = documentArgument(statement, "q");
  const multi = flagArgument(statement, "multi");
  const filter = compileFilter(query);
  const change = compileUpdate(statement["u"], {
    arrayFilters: documentsArgument(statement, "arrayFilters"),
    nowMs,
  });
  if (multi && change.kind === "replacement") {
    throw new CommandError(9, "multi update is not supported for replacement-style update");
  }
  // Taken before the first write, so that a document is not met twice.
  const found = findDocuments(collection, filter);
  const matched = [...(multi ? found : found.take(1))];
  if (matched.length === 0 && flagArgument(statement, "upsert")) {
    return { matched: 0, modified: 0, inserted: insertDocument(collection, change.create(query)) };
  }
  let modified = 0;
  for (const old of matched) {
    const next = change.apply(old);
    if (next === old) continue;
    replaceDocument(collection, old, next);
    modified++;
  }
  return { matched: matched.length, modified };
}
