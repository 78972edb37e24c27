import type { Clock } from "../../src/ports.ts";

type Timer = { readonly atMs: number; readonly wake: () => void };

/** A clock that moves only when told to. */
export class VirtualClock implements Clock {
  #nowMs = 1_000;
  /** Wall time is apart: a test may let it jump. */
  wallAheadMs = Date.parse("2026-03-01T00:00:00Z");
  readonly #timers = new Set<Timer>();

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs + this.wallAheadMs;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer: Timer = { atMs: this.#nowMs + ms, wake: resolve };
      this.#timers.add(timer);
      const abort = (): void => {
        this.#timers.delete(timer);
        resolve();
      };
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  /** Lets `ms` pass: whatever falls due happens, in order of time. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > untilMs) break;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.#timers.delete(next);
      next.wake();
      await settle();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  /** Time passes and nobody notices, as in a frozen process. */
  freeze(ms: number): void {
    this.#nowMs += ms;
  }
}

/** Everything that needs no time has happened: immediates run after all microtasks. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
