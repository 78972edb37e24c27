import type { LogSource } from "./ports.ts";

/**
 * Why a task takes no records.
 * - rows: too many of its rows wait to be published.
 * - decision: a decision is being written; records applied meanwhile would be judged without it.
 * - replay: checkpoints fail, and a restart would have to read too much again.
 */
export const holdReasons = ["rows", "decision", "replay"] as const;
export type HoldReason = (typeof holdReasons)[number];

/** Whether records of one partition may come: they stay away as long as there is a reason. */
export class Intake {
  /** The source delivers: set between `LogSource.start` and the next assignment. */
  started = false;
  readonly #source: LogSource;
  readonly #partition: number;
  readonly #reasons = new Set<HoldReason>();

  constructor(source: LogSource, partition: number) {
    this.#source = source;
    this.#partition = partition;
  }

  get reasons(): ReadonlySet<HoldReason> {
    return this.#reasons;
  }

  /** False before `LogSource.start` as well. */
  get open(): boolean {
    return this.started && this.#reasons.size === 0;
  }

  /** @returns false when this was a reason already */
  hold(reason: HoldReason): boolean {
    if (this.#reasons.has(reason)) return false;
    this.#reasons.add(reason);
    this.#source.pause(this.#partition);
    return true;
  }

  /** @returns false when this was no reason */
  release(reason: HoldReason): boolean {
    if (!this.#reasons.delete(reason)) return false;
    if (this.open) this.#source.resume(this.#partition);
    return true;
  }
}
