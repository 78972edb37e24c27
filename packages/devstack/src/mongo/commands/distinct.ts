import { documentArgument, textArgument } from "../arguments.ts";
import { findDocuments } from "../collection.ts";
import { target, type Command } from "../command.ts";
import { compareValues } from "../compare.ts";
import { compileFilter } from "../filter.ts";
import { distinctValues } from "../group.ts";
import { parsePath, valuesAt } from "../paths.ts";

/** `distinct`: the values of `key`, array elements one by one, in order. */
export const distinct: Command = (command, { store }) => {
  const collection = store.collections.get(target(command, "distinct").namespace);
  const path = parsePath(textArgument(command, "key"));
  const filter = compileFilter(documentArgument(command, "query"));
  if (collection === undefined) return { values: [], ok: 1 };
  const values = [...findDocuments(collection, filter)].flatMap((document) =>
    valuesAt(document, path).flat(),
  );
  return { values: distinctValues(values).toSorted(compareValues), ok: 1 };
};
