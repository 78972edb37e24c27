import type { DeltaBase } from "./checkpoint.ts";
import type { StateMark } from "./state-delta.ts";
import type { Task } from "./task.ts";

/** Deltas on one whole state: a restart reads them all, and all are lost with it. */
const maxDeltas = 16;
/** Below this size a whole state costs no more than what is saved. */
export const defaultDeltaFromBytes: number = 2 ** 20;

/** A copy of a task's state, or of what changed in it. */
export type Captured = {
  readonly state: Uint8Array;
  readonly mark: StateMark;
  /** Absent: `state` is all of it. */
  readonly delta: DeltaBase | undefined;
};

type MarkedBase = DeltaBase & { readonly mark: StateMark };

/**
 * What the next checkpoint of one owner may be a delta of: the newest that this very owner knows to be in the store. Its
 * first one is whole, whatever it restored from, and an attempt that did not get through is as if it had never been.
 *
 * Deltas are written until together they are as large as the whole state was, so that what is written stays within twice
 * what changed, and a sixteenth of the state.
 */
export class CheckpointChain {
  readonly #deltaFromBytes: number;
  #newest: MarkedBase | undefined;
  #wholeBytes = 0;
  #deltaBytes = 0;
  #deltas = 0;

  /** @param deltaFromBytes size of the whole state from which on deltas are worth while */
  constructor(deltaFromBytes = defaultDeltaFromBytes) {
    this.#deltaFromBytes = deltaFromBytes;
  }

  /** Copies what the next checkpoint is to hold; `whole` asks for all of it. */
  capture(task: Task, whole: boolean): Captured {
    const { mark } = task;
    const base = whole ? undefined : this.#base;
    const changes = base && task.delta(base.mark);
    if (base === undefined || changes === undefined)
      return { state: task.snapshot(), mark, delta: undefined };
    return { state: changes, mark, delta: { seq: base.seq, digest: base.digest } };
  }

  /** What was captured is in the store, under this number and digest, and nobody took the task before. */
  durable({ state, mark, delta }: Captured, written: DeltaBase): void {
    this.#newest = { ...written, mark };
    if (delta === undefined) this.#wholeBytes = state.length;
    this.#deltas = delta === undefined ? 0 : this.#deltas + 1;
    this.#deltaBytes = delta === undefined ? 0 : this.#deltaBytes + state.length;
  }

  /** undefined when the next one is to be whole. */
  get #base(): MarkedBase | undefined {
    const small = this.#wholeBytes < this.#deltaFromBytes;
    const long = this.#deltas >= maxDeltas || this.#deltaBytes >= this.#wholeBytes;
    return small || long ? undefined : this.#newest;
  }
}
