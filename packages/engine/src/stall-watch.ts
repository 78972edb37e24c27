import { StreamError } from "./errors.ts";
import type { Clock } from "./ports.ts";

/** How far the reader of one partition has come. */
export type ReadPosition = {
  readonly partition: number;
  readonly nextOffset: number;
  /** Records in the log behind `nextOffset`; null while that is not known. */
  readonly lagRecords: number | null;
  /** Intake stands still on purpose: back pressure, a decision, a server that is waited for. */
  readonly paused: boolean;
};

export type StallWatchOptions = {
  readonly clock: Clock;
  /** Partitions that are read now; one that is not among them has nothing to prove. Looked at four times a minute. */
  readonly positions: () => Promise<readonly ReadPosition[]>;
  readonly limitMs?: number;
};

/** Longer than every pause of a healthy reader: a rebalance takes 30 s, a lost response 30 s until it is asked for again. */
const defaultLimitMs = 120_000;
const lookEveryMs = 15_000;

type Standstill = { nextOffset: number; stoodMs: number };

/**
 * The watchdog of a reader: a partition with records to read, not paused, whose offset does not move has met a bug or a
 * dead connection, and a new process gets past both.
 *
 * Resolves when the signal aborts.
 * @throws {StreamError} STALLED
 */
export async function watchForStalls(
  { clock, positions, limitMs = defaultLimitMs }: StallWatchOptions,
  signal: AbortSignal,
): Promise<void> {
  let standstills = new Map<number, Standstill>();
  let lookedMs = clock.nowMs();
  for (;;) {
    await clock.sleep(Math.min(lookEveryMs, limitMs), signal);
    if (signal.aborted) return;
    // A process that was frozen itself has not watched for all that time.
    const watchedMs = Math.min(clock.nowMs() - lookedMs, 2 * lookEveryMs);
    lookedMs = clock.nowMs();
    const before = standstills;
    standstills = new Map();
    for (const position of await positions()) {
      const { partition, nextOffset, lagRecords, paused } = position;
      if (paused || lagRecords === null || lagRecords <= 0) continue;
      const standstill = before.get(partition);
      const same = standstill?.nextOffset === nextOffset;
      const stoodMs = same ? standstill.stoodMs + watchedMs : 0;
      if (stoodMs >= limitMs) throw stalled(position, stoodMs);
      standstills.set(partition, { nextOffset, stoodMs });
    }
  }
}

function stalled({ partition, nextOffset, lagRecords }: ReadPosition, stoodMs: number): Error {
  const text = `partition ${partition} stands at offset ${nextOffset} for ${Math.round(stoodMs / 1_000)} s with ${lagRecords} records to read`;
  return new StreamError("STALLED", "stop", `${text}; start again`);
}
