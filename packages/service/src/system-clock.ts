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
  // Not that of node:timers/promises, which makes an error with its stack whenever the signal aborts.
  sleep(delayMs, signal) {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const over = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", over);
        resolve();
      };
      const timer = setTimeout(over, delayMs);
      signal.addEventListener("abort", over, { once: true });
    });
  },
};
