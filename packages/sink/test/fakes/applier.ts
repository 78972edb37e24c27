import type { Clock } from "@adstream/engine/ports";

import {
  type ApplierOptions,
  createResultApplier,
  type ResultApplier,
} from "../../src/apply-results.ts";
import type { DocumentStore } from "../../src/ports.ts";

/** More than any test has reason for: code that retries for ever fails instead of hanging the run. */
const maxSleeps = 10_000;

/** Virtual time: a sleep takes no time and moves the clock. */
export function virtualClock(): Clock & { readonly sleeps: number[] } {
  let nowMs = 0;
  const sleeps: number[] = [];
  return {
    sleeps,
    nowMs: () => nowMs,
    wallMs: () => nowMs,
    async sleep(ms: number) {
      if (sleeps.length === maxSleeps) throw new Error(`slept ${maxSleeps} times in one test`);
      sleeps.push(ms);
      nowMs += ms;
    },
  };
}

export function applierOf(
  store: DocumentStore,
  given: Partial<ApplierOptions> = {},
): ResultApplier {
  return createResultApplier({
    store,
    clock: virtualClock(),
    random: () => 0.5,
    observer: { outage() {}, race() {} },
    ...given,
  });
}

export const never: AbortSignal = new AbortController().signal;
