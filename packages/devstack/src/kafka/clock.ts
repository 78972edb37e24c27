/** Time as the broker sees it; a test passes one that it moves by hand. */
export type BrokerClock = {
  /** Milliseconds since the epoch. */
  nowMs(): number;
  /** Calls `run` once after `delayMs`, unless the returned function was called before. */
  after(delayMs: number, run: () => void): Cancel;
};

/** Calling it again, or after the time has passed, does nothing. */
export type Cancel = () => void;

/** setTimeout and Date. Timers do not keep the process alive: the listening socket does. */
export const systemClock: BrokerClock = {
  nowMs: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
