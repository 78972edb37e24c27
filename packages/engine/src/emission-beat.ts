import type { Clock } from "./ports.ts";

/** A fetch that comes a little early need not wait for the next one: share of the interval, and ms at most. */
const slackShare = 0.2;
const maxSlackMs = 5;
/** Where no log end is proven, batches that come within this belong together. */
const gatherMs = 2;
/** A task looks around at least this often: checkpoints fall due, and windows close by decision. */
const restMs = 1_000;
const restIntervals = 10;

/**
 * When a task publishes early results: as soon as all there is in the log is applied, and at most once an interval. A
 * timer of its own would let what a fetch brings wait for half an interval on average. While the log end is not reached,
 * they come once an interval as well.
 */
export class EmissionBeat {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #restMs: number;
  /** From then on early results may come out. */
  #emitFrom: number;
  #beatAt: number;
  /** First change that did not come out; a restored task may have something to say. */
  #changedAt: number | undefined;
  /** All there was when it was asked last is applied. */
  #atEnd = false;
  /** The sleeper knows that something changed. */
  #told = false;

  constructor({ clock, emitIntervalMs, checkpointIntervalMs }: BeatOptions) {
    this.#clock = clock;
    this.#intervalMs = emitIntervalMs;
    this.#restMs = Math.min(restMs, checkpointIntervalMs, restIntervals * emitIntervalMs);
    this.#emitFrom = clock.nowMs() + emitIntervalMs;
    this.#beatAt = clock.nowMs();
    this.#changedAt = clock.nowMs();
  }

  /** Records were applied. @returns whether the sleeper has to be woken */
  changed(): boolean {
    const nowMs = this.#clock.nowMs();
    this.#atEnd = false;
    this.#changedAt ??= nowMs;
    return nowMs >= this.#timerAt(this.#changedAt) && this.#tell();
  }

  /** Nothing more is in the log. @returns whether the sleeper has to be woken */
  logEnded(): boolean {
    if (this.#changedAt === undefined) return false;
    this.#atEnd = true;
    // Early: the sleeper is to sleep no longer than until the interval is over.
    return this.#due() || this.#tell();
  }

  /** How long the task may sleep if nobody wakes it. */
  sleepMs(): number {
    const restAt = this.#beatAt + this.#restMs;
    const wakeAt =
      this.#changedAt === undefined ? restAt : Math.min(restAt, this.#timerAt(this.#changedAt));
    return Math.max(0, wakeAt - this.#clock.nowMs());
  }

  /** The task is awake. @returns whether early results come out now */
  begins(): boolean {
    this.#beatAt = this.#clock.nowMs();
    if (this.#changedAt === undefined || !this.#due()) return false;
    this.#emitFrom = this.#beatAt + this.#intervalMs;
    this.#changedAt = undefined;
    this.#told = false;
    return true;
  }

  #due(): boolean {
    const nowMs = this.#clock.nowMs();
    if (this.#atEnd) return nowMs >= this.#emitFrom - this.#slackMs;
    return this.#changedAt !== undefined && nowMs >= this.#timerAt(this.#changedAt);
  }

  #timerAt(changedAt: number): number {
    return Math.max(this.#emitFrom, changedAt + Math.min(gatherMs, this.#intervalMs));
  }

  get #slackMs(): number {
    return Math.min(maxSlackMs, this.#intervalMs * slackShare);
  }

  #tell(): boolean {
    const news = !this.#told;
    this.#told = true;
    return news;
  }
}

type BeatOptions = {
  readonly clock: Clock;
  readonly emitIntervalMs: number;
  readonly checkpointIntervalMs: number;
};
