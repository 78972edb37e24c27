import { idIndexSpec } from "../collection.ts";
import { target, type Command } from "../command.ts";
import { singleBatch } from "../cursors.ts";
import { CommandError } from "../errors.ts";

/** `listIndexes` of a collection that exists. */
export const listIndexes: Command = (command, { store }) => {
  const { namespace } = target(command, "listIndexes");
  const collection = store.collections.get(namespace);
  if (collection === undefined) throw new CommandError(26, `ns does not exist: ${namespace}`);
  return singleBatch(namespace, [
    idIndexSpec,
    ...collection.indexes.values().map(({ spec }) => spec),
  ]);
};
