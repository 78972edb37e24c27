import { documentArgument, flagArgument, textArgument } from "../arguments.ts";
import { idIndexSpec } from "../collection.ts";
import type { Command } from "../command.ts";
import { singleBatch } from "../cursors.ts";
import { compileFilter } from "../filter.ts";
import { collectionsOf } from "../store.ts";

/** `listCollections`: `filter`, `nameOnly`. */
export const listCollections: Command = (command, { store }) => {
  const database = textArgument(command, "$db");
  const filter = compileFilter(documentArgument(command, "filter"));
  const nameOnly = flagArgument(command, "nameOnly");
  const entries = collectionsOf(store, database).map(({ namespace }) => ({
    name: namespace.slice(database.length + 1),
    type: "collection",
    ...(!nameOnly && { options: {}, info: { readOnly: false }, idIndex: idIndexSpec }),
  }));
  return singleBatch(
    `${database}.$cmd.listCollections`,
    entries.filter((entry) => filter.matches(entry)),
  );
};
