import { Int32 } from "bson";
import { documentArgument, documentsArgument, flagArgument } from "../arguments.ts";
import { findDocuments, insertDocument, removeDocument, replaceDocument } from "../collection.ts";
import { targetCollection, type Command } from "../command.ts";
import { CommandError } from "../errors.ts";
import { compileFilter } from "../filter.ts";
import { compileProjection } from "../projection.ts";
import { sortDocuments } from "../sort.ts";
import { compileUpdate } from "../update.ts";
import type { Document } from "../values.ts";

/** `findAndModify`: the first match by `sort`, removed or updated; gives it before, or after with `new`. */
export const findAndModify: Command = (command, context) => {
  const name = Object.hasOwn(command, "findAndModify") ? "findAndModify" : "findandmodify";
  const collection = targetCollection(command, name, context);
  const query = documentArgument(command, "query");
  const project = compileProjection(documentArgument(command, "fields"));
  const found = [...findDocuments(collection, compileFilter(query))];
  const [old] = sortDocuments(found, documentArgument(command, "sort"));
  const removing = flagArgument(command, "remove");
  if (removing === Object.hasOwn(command, "update")) {
    throw new CommandError(9, "Either an update or remove=true must be specified, and not both");
  }
  if (removing) {
    if (old !== undefined) removeDocument(collection, old);
    return reply({ n: new Int32(old === undefined ? 0 : 1) }, old && project(old));
  }
  const change = compileUpdate(command["update"], {
    arrayFilters: documentsArgument(command, "arrayFilters"),
    nowMs: context.nowMs(),
  });
  const wantsNew = flagArgument(command, "new");
  if (old !== undefined) {
    const next = change.apply(old);
    if (next !== old) replaceDocument(collection, old, next);
    return reply({ n: new Int32(1), updatedExisting: true }, project(wantsNew ? next : old));
  }
  if (!flagArgument(command, "upsert"))
    return reply({ n: new Int32(0), updatedExisting: false }, undefined);
  const inserted = insertDocument(collection, change.create(query));
  const outcome = { n: new Int32(1), updatedExisting: false, upserted: inserted["_id"] };
  return reply(outcome, wantsNew ? project(inserted) : undefined);
};

function reply(lastErrorObject: Document, value: Document | undefined): Document {
  return { lastErrorObject, value: value ?? null, ok: 1 };
}
