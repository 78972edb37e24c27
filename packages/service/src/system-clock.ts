import { setTimeout as timeout } from "node:timers/promises";

/** Time as services see it; tests move it by hand. */
export type Clock = {
  /** Monotonic: only differences mean anything, and it never steps back. */
  nowMs(): number;
  /** Unix time. */
  wallMs(): number;
  /** Resolves after `delayMs`, or as soon as the signal is aborted; never rejects. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
};

/** The clock of this machine. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  async sleep(delayMs, signal) {
    try {
      await timeout(delayMs, undefined, { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  },
};
