import { StreamError } from "@adstream/engine/errors";
import type { Clock } from "@adstream/engine/ports";

import { backoffMs, outageBackoff } from "./backoff.ts";

export type Patience = {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly observer: { waiting(error: StreamError, delayMs: number): void };
  /** Ends the waiting. */
  readonly signal: AbortSignal;
};

/**
 * Does `work` again, ever more rarely, while its server does not answer.
 *
 * @returns undefined when the signal aborts first
 * @throws what no retry mends
 */
export async function untilAnswered<T>(
  work: () => Promise<T>,
  { clock, random, observer, signal }: Patience,
): Promise<T | undefined> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!retriable(error)) throw error;
      const delayMs = backoffMs(attempt, outageBackoff, random);
      observer.waiting(error, delayMs);
      await clock.sleep(delayMs, signal);
    }
  }
  return undefined;
}

export function retriable(error: unknown): error is StreamError {
  return error instanceof StreamError && error.disposition === "retry";
}
