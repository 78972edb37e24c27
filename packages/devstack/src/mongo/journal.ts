import { closeSync, existsSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import type { StoreChange } from "./collection.ts";
import { replayChange, type Store } from "./store.ts";
import { decodeDocument, encodeDocument, isDocument, type Document } from "./values.ts";

/**
 * Keeps a store in one file: an append-only log of BSON documents, one per change, written before the
 * command is answered. It survives the end of the process, not a loss of power: nothing is synced. The
 * log is rewritten as the state it adds up to when it is opened and whenever it has grown enough.
 */
export type Journal = {
  readonly append: (change: StoreChange) => void;
  close(): void;
};

/** Below this size a journal is never rewritten while in use. */
const leastRewriteBytes = 64 * 1024 * 1024;

/** Reads the file into the store and goes on writing to it. A last entry that was cut short is dropped. */
export function openJournal(file: string, store: Store): Journal {
  if (existsSync(file)) for (const change of readChanges(file)) replayChange(store, change);
  let { descriptor, bytes } = rewrite(file, store);
  let rewriteAtBytes = Math.max(leastRewriteBytes, bytes * 2);
  return {
    append(change) {
      bytes += write(descriptor, change);
      if (bytes < rewriteAtBytes) return;
      closeSync(descriptor);
      ({ descriptor, bytes } = rewrite(file, store));
      rewriteAtBytes = Math.max(leastRewriteBytes, bytes * 2);
    },
    close() {
      closeSync(descriptor);
    },
  };
}

/** The state as a new file in the place of the old one; renamed when complete, so one of both is there. */
function rewrite(file: string, store: Store): { descriptor: number; bytes: number } {
  const temporary = `${file}.new`;
  const descriptor = openSync(temporary, "w");
  let bytes = 0;
  for (const { namespace, documents, indexes } of store.collections.values()) {
    bytes += write(descriptor, { kind: "create", namespace });
    for (const { spec } of indexes.values())
      bytes += write(descriptor, { kind: "createIndex", namespace, spec });
    for (const document of documents.values())
      bytes += write(descriptor, { kind: "put", namespace, document });
  }
  renameSync(temporary, file);
  return { descriptor, bytes };
}

function write(descriptor: number, change: StoreChange): number {
  const entry = encodeDocument({ ...change });
  for (let at = 0; at < entry.length;) at += writeSync(descriptor, entry, at);
  return entry.length;
}

function* readChanges(file: string): Generator<StoreChange> {
  const bytes = readFileSync(file);
  for (let at = 0; at + 4 <= bytes.length;) {
    const lengthBytes = bytes.readInt32LE(at);
    if (at + lengthBytes > bytes.length) return;
    yield parseChange(decodeDocument(bytes.subarray(at, at + lengthBytes)));
    at += lengthBytes;
  }
}

/** @throws Error when the entry is none of ours: the file is not a journal, or damaged */
function parseChange(entry: Document): StoreChange {
  const { kind, namespace, document, spec, name } = entry;
  if (typeof namespace !== "string") throw new Error("a journal entry names no collection");
  switch (kind) {
    case "create":
    case "drop":
      return { kind, namespace };
    case "remove":
      return { kind, namespace, id: entry["id"] };
    case "put":
      if (isDocument(document)) return { kind, namespace, document };
      break;
    case "createIndex":
      if (isDocument(spec)) return { kind, namespace, spec };
      break;
    case "dropIndex":
      if (typeof name === "string") return { kind, namespace, name };
      break;
    default:
      break;
  }
  throw new Error(`a journal entry of kind ${String(kind)} for ${namespace} cannot be read`);
}
