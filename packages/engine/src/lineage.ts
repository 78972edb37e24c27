import type { Acquired } from "./acquire.ts";
import type { HeaderNotes } from "./checkpoint.ts";

/** What the checkpoints of one owner say beside the state, and what the next owner may conclude from them. */
export class Lineage {
  readonly #notes: HeaderNotes;
  readonly #ripeAtMs: number;
  /** Nobody published a result of a record behind our state. */
  #alone: boolean;
  #last = false;

  /** @param ripeAtMs from when on, on the owner's clock, no owner before it publishes any more */
  constructor({ notes, alone }: Acquired, ripeAtMs: number) {
    // Before the first record everything was superseded that had to be.
    this.#notes = { ...notes, supersedes: undefined };
    this.#alone = alone;
    this.#ripeAtMs = ripeAtMs;
  }

  /** A fetch found nothing behind the state: nobody can have read further, and whoever did before us is silent now. */
  logEnded(nowMs: number): void {
    if (nowMs >= this.#ripeAtMs) this.#alone = true;
  }

  /** Nothing is applied any more. @returns whether the checkpoint to come will be a savepoint */
  end(): boolean {
    this.#last = true;
    return this.#alone;
  }

  /** For the next checkpoint. */
  get notes(): HeaderNotes {
    return this.#last && this.#alone ? { ...this.#notes, savepoint: true } : this.#notes;
  }
}
