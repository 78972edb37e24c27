/** How long a batch may wait for more, at most. */
export const lingerMs = 50;
/** What one fetch brings comes batch by batch; also where nothing was written just before. */
export const gatherMs = 2;
/** The store may be busy for so long before it rests: windows that close are a burst, and no load. */
const burstMs = 300;

/** A store that works more than half of the time, bursts aside, gets fewer and larger batches. */
export class Rest {
  #untilMs = 0;
  /** When the store will have rested for as long as it worked. */
  #evenAtMs = 0;

  /** A batch was applied. */
  worked(startedMs: number, tookMs: number): void {
    const endedMs = startedMs + tookMs;
    const evenAtMs = Math.max(this.#evenAtMs, startedMs) + 2 * tookMs;
    this.#evenAtMs = Math.min(evenAtMs, endedMs + burstMs + lingerMs);
    this.#untilMs = Math.min(this.#evenAtMs - burstMs, endedMs + tookMs);
  }

  /** How long a batch waits for more. */
  leftMs(nowMs: number): number {
    return Math.max(gatherMs, this.#untilMs - nowMs);
  }
}
