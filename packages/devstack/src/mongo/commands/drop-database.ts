import { textArgument } from "../arguments.ts";
import type { Command } from "../command.ts";
import { collectionsOf, dropCollection } from "../store.ts";

/** `dropDatabase`: all its collections. */
export const dropDatabase: Command = (command, { store }) => {
  const database = textArgument(command, "$db");
  const collections = collectionsOf(store, database);
  for (const { namespace } of collections) dropCollection(store, namespace);
  return { ...(collections.length > 0 && { dropped: database }), ok: 1 };
};
