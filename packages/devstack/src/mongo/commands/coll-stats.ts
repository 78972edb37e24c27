import { calculateObjectSize } from "bson";
import { target, type Command } from "../command.ts";

/** `collStats`: documents and bytes; zero for a collection that does not exist. */
export const collStats: Command = (command, { store }) => {
  const { namespace } = target(command, "collStats");
  const collection = store.collections.get(namespace);
  let size = 0;
  for (const document of collection?.documents.values() ?? [])
    size += calculateObjectSize(document);
  const count = collection?.documents.size ?? 0;
  return {
    ns: namespace,
    count,
    size,
    storageSize: size,
    nindexes: (collection?.indexes.size ?? 0) + 1,
    ok: 1,
  };
};
