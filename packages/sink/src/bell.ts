import type { Clock } from "@adstream/engine/ports";

/** Wakes whoever waits. A ring with nobody waiting is lost: check before you wait. */
export interface Bell {
  ring(): void;
  /** Until the next ring, `ms` at most. */
  wait(ms: number): Promise<void>;
}

export function createBell(clock: Clock): Bell {
  let next = new AbortController();
  return {
    ring() {
      next.abort(null); // Without a reason it would make an error with its stack.
      next = new AbortController();
    },
    wait: (ms) => clock.sleep(ms, next.signal),
  };
}
