import { documentsArgument } from "../arguments.ts";
import { insertDocument } from "../collection.ts";
import { runStatements, targetCollection, type Command } from "../command.ts";

/** `insert`: `documents`, `ordered`. */
export const insert: Command = (command, context) => {
  const collection = targetCollection(command, "insert", context);
  let n = 0;
  const errors = runStatements(command, documentsArgument(command, "documents"), (document) => {
    insertDocument(collection, document);
    n++;
  });
  return { n, ...errors, ok: 1 };
};
