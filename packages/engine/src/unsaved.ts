import type { EpochMs } from "./window.ts";

/** Beyond these a task takes no more records until a checkpoint gets through. */
export type ReplayLimits = {
  /** Input that a restart would read again. */
  readonly bytes: number;
  /** Time since the first record that no checkpoint holds was applied. */
  readonly ageMs: number;
  /**
   * The same in the log's own time, once checkpoints fail: a share of the topic's retention, since what retention removes
   * before a checkpoint holds it is lost by a restart.
   */
  readonly logMs: number;
};

/** Which limit it is: too much to read again, for too long, or too close to what retention removes. */
export type ReplayExcess = "bytes" | "age" | "retention";

const minuteMs = 60_000;

/** Limits of protocol 2.6; `retentionMs` Infinity: the log is kept for ever, or nobody knows. */
export function replayLimits(retentionMs: number): ReplayLimits {
  return { bytes: 2 * 2 ** 30, ageMs: 15 * minuteMs, logMs: 0.2 * retentionMs };
}

/** Records between two snapshots; the times are those of the first of them. */
type Stretch = { readonly bytes: number; readonly sinceMs: number; readonly logTime: EpochMs };

/** What of one task no checkpoint holds yet. */
export class Unsaved {
  #savedOffset: number;
  /** Changed in a way that the offset does not tell. */
  #decided: boolean;
  /** In the snapshot that is being written, or in one that was not. */
  #captured: Stretch | undefined;
  /** Behind that snapshot. */
  #behind: Stretch | undefined;

  constructor(nextOffset: number, changed: boolean) {
    this.#savedOffset = nextOffset;
    this.#decided = changed;
  }

  /** Notes a batch that was applied; `logTime` is what time it is in the log after it. */
  applied(bytes: number, nowMs: number, logTime: EpochMs): void {
    this.#behind = joined(this.#behind, { bytes, sinceMs: nowMs, logTime });
  }

  /** Notes a change by decision. */
  decided(): void {
    this.#decided = true;
  }

  changed(nextOffset: number): boolean {
    return nextOffset !== this.#savedOffset || this.#decided;
  }

  /** A snapshot holds everything up to here. */
  captured(): void {
    this.#captured = joined(this.#captured, this.#behind);
    this.#behind = undefined;
  }

  /** The last snapshot captured is durable. */
  saved(nextOffset: number): void {
    this.#captured = undefined;
    this.#savedOffset = nextOffset;
    this.#decided = false;
  }

  /** Next offset of the last checkpoint. */
  get savedOffset(): number {
    return this.#savedOffset;
  }

  get bytes(): number {
    return (this.#captured?.bytes ?? 0) + (this.#behind?.bytes ?? 0);
  }

  ageMs(nowMs: number): number {
    return nowMs - (this.#first?.sinceMs ?? nowMs);
  }

  /** Which of the limits is exceeded; undefined: none. */
  excess(
    limits: ReplayLimits,
    now: { readonly nowMs: number; readonly logTime: EpochMs; readonly failing: boolean },
  ): ReplayExcess | undefined {
    if (this.bytes > limits.bytes) return "bytes";
    if (this.ageMs(now.nowMs) > limits.ageMs) return "age";
    const from = this.#first?.logTime ?? Number.NaN;
    // A backlog of days is read within seconds, so this alone says nothing about the store.
    const expiring = now.failing && Number.isFinite(from) && now.logTime - from > limits.logMs;
    return expiring ? "retention" : undefined;
  }

  get #first(): Stretch | undefined {
    return this.#captured ?? this.#behind;
  }
}

function joined(first: Stretch | undefined, second: Stretch | undefined): Stretch | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return { ...first, bytes: first.bytes + second.bytes };
}
