import { setImmediate } from "node:timers/promises";

import type { Clock } from "@adstream/engine/ports";

/** Time that stands still until it is moved; what waits wakes in order. */
export type ManualClock = Clock & {
  /** Lets everything happen that can without time passing. */
  settle(): Promise<void>;
  advance(ms: number): Promise<void>;
};

type Sleeper = { readonly untilMs: number; readonly wake: () => void };

export function manualClock(): ManualClock {
  let nowMs = 0;
  const sleepers = new Set<Sleeper>();
  const settle = async (): Promise<void> => {
    for (let round = 0; round < 5; round++) await setImmediate();
  };
  return {
    nowMs: () => nowMs,
    wallMs: () => nowMs,
    settle,
    sleep(ms, signal) {
      if (signal.aborted) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      const sleeper = { untilMs: nowMs + ms, wake: resolve };
      sleepers.add(sleeper);
      signal.addEventListener("abort", () => resolve(), { once: true });
      return promise.finally(() => sleepers.delete(sleeper));
    },
    async advance(ms) {
      const endMs = nowMs + ms;
      await settle();
      for (let next = earliest(sleepers); next !== undefined && next.untilMs <= endMs;) {
        nowMs = Math.max(nowMs, next.untilMs);
        sleepers.delete(next);
        next.wake();
        await settle();
        next = earliest(sleepers);
      }
      nowMs = endMs;
    },
  };
}

function earliest(sleepers: ReadonlySet<Sleeper>): Sleeper | undefined {
  return [...sleepers].sort((a, b) => a.untilMs - b.untilMs)[0];
}
