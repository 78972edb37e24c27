import { setTimeout as timeout } from "node:timers/promises";

import type { Clock } from "@adstream/engine/ports";

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await timeout(ms, undefined, { signal });
    } catch {
      // Only an abort ends it early, and that is what callers ask for.
    }
  },
};
