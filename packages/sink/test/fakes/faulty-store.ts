import { StreamError } from "@adstream/engine/errors";

import type { DocumentStore } from "../../src/ports.ts";
import type { MemoryStore } from "./memory-store.ts";

export type Fault = "find fails" | "write fails" | "response lost" | "half is written" | "none";

/**
 * Consumes one fault per call: before, after, or in the middle of the real one. `between` runs ahead of every
 * write, where a racing writer would.
 */
export function faultyStore(
  store: MemoryStore,
  faults: Fault[],
  between: () => Promise<void> = async () => {},
): DocumentStore {
  return {
    async find(ids) {
      if (faults[0] === "find fails") {
        faults.shift();
        throw outage();
      }
      return store.find(ids);
    },
    async write(updates, inserts) {
      await between();
      const fault = faults.shift() ?? "none";
      if (fault === "write fails") throw outage();
      if (fault === "half is written") {
        await store.write(everyOther(updates), everyOther(inserts));
        throw outage();
      }
      const outcome = await store.write(updates, inserts);
      if (fault === "response lost") throw outage();
      return outcome;
    },
  };
}

function everyOther<T>(items: readonly T[]): T[] {
  return items.filter((_, index) => index % 2 === 0);
}

function outage(): StreamError {
  return new StreamError("SERVER_UNAVAILABLE", "retry", "the store does not answer");
}
