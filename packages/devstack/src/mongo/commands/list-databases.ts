import { calculateObjectSize } from "bson";
import { documentArgument, flagArgument } from "../arguments.ts";
import type { Command } from "../command.ts";
import { compileFilter } from "../filter.ts";
import { collectionsOf, type Store } from "../store.ts";

/** `listDatabases`: `filter`, `nameOnly`. A database exists while it has a collection. */
export const listDatabases: Command = (command, { store }) => {
  const filter = compileFilter(documentArgument(command, "filter"));
  const names = new Set(
    Array.from(store.collections.keys(), (namespace) => namespace.split(".")[0] ?? ""),
  );
  const nameOnly = flagArgument(command, "nameOnly");
  const databases = [...names]
    .toSorted()
    .map((name) => ({ name, ...(!nameOnly && size(store, name)) }));
  const wanted = databases.filter((database) => filter.matches(database));
  const totalSize = wanted.reduce((sum, { sizeOnDisk = 0 }) => sum + sizeOnDisk, 0);
  return {
    databases: wanted,
    ...(!nameOnly && { totalSize, totalSizeMb: totalSize >> 20 }),
    ok: 1,
  };
};

function size(store: Store, database: string): { sizeOnDisk: number; empty: boolean } {
  let sizeOnDisk = 0;
  for (const { documents } of collectionsOf(store, database)) {
    for (const document of documents.values()) sizeOnDisk += calculateObjectSize(document);
  }
  return { sizeOnDisk, empty: sizeOnDisk === 0 };
}
