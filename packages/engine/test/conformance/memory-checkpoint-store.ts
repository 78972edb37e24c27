import type { CheckpointStore } from "../../src/ports.ts";

/** A store that keeps its objects in memory; those of one `objects` map share them, as processes share a folder. */
export function memoryCheckpointStore(
  objects = new Map<string, Uint8Array>(),
): CheckpointStore & { readonly objects: Map<string, Uint8Array> } {
  return {
    objects,
    async create(name, bytes) {
      if (objects.has(name)) return "exists";
      objects.set(name, Uint8Array.from(bytes));
      return "created";
    },
    async read(name) {
      const bytes = objects.get(name);
      return bytes && Uint8Array.from(bytes);
    },
    async list(folder) {
      const inside = `${folder}/`;
      return [...objects.keys()]
        .filter((name) => name.startsWith(inside) && !name.slice(inside.length).includes("/"))
        .map((name) => name.slice(inside.length));
    },
    async remove(name) {
      objects.delete(name);
    },
  };
}
