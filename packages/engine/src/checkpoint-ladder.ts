import { type ClaimHeader, encodeFrame, type Frame, frameDigest } from "./checkpoint.ts";
import { StreamError } from "./errors.ts";
import type { CheckpointStore } from "./ports.ts";
import { nonceOf, type Restorable, StoredFrames } from "./stored-frames.ts";

/** Races lost in a row before a claim gives up and is tried again later. */
const claimAttempts = 20;
/** Listings that were out of date in a row before what vanished is left aside. */
const listAttempts = 20;
const keptCheckpoints = 5;
/** Of whole states: one that breaks takes its deltas with it. */
const keptWhole = 3;
const keptClaimsMs = 7 * 24 * 3_600_000;

/** The newest readable checkpoint of a task, and what lies above it. */
export type Newest = {
  /** Highest sequence number in the store, of whatever kind; 0: none. */
  readonly top: number;
  readonly checkpoint: Restorable | undefined;
  /** Unreadable objects above the checkpoint: results of their time may be in the log. */
  readonly unreadable: number;
  /** Highest epoch that the unreadable ones still show, in whatever is left of them. */
  readonly salvagedEpoch: number | undefined;
};

/**
 * The outcome of creating one numbered object. "earlier": an attempt of ours before this one had got through after all.
 * "failed": it is not in the store and never will be. "unknown": it may be there, or get there yet; not to find it
 * proves nothing, since an upload that we gave up waiting for may still be on its way.
 */
export type Created =
  | { readonly outcome: "mine"; readonly digest: string }
  | { readonly outcome: "earlier" }
  | { readonly outcome: "taken" }
  | { readonly outcome: "failed"; readonly cause: unknown }
  | { readonly outcome: "unknown"; readonly cause: unknown };

/**
 * The numbered objects of one task. A number is taken, never renewed: whoever creates number n + 1 owns the task from then
 * on, and an older owner finds its next number taken. No clock, lease or group generation is trusted (protocol 2.7).
 */
export class CheckpointLadder {
  readonly #store: CheckpointStore;
  readonly #folder: string;
  readonly #frames: StoredFrames;

  constructor(store: CheckpointStore, job: string, partition: number) {
    this.#store = store;
    this.#folder = `${job}/p${String(partition).padStart(4, "0")}`;
    this.#frames = new StoredFrames(store, this.#folder);
  }

  /** Highest number taken; 0: none. */
  async top(): Promise<number> {
    return (await this.numbers())[0] ?? 0;
  }

  /** @throws {StreamError} STATE_INCOMPATIBLE when the newest checkpoint is of newer code */
  async newest(): Promise<Newest> {
    this.#frames.salvagedEpoch = undefined;
    for (let attempt = 1; ; attempt++) {
      const numbers = await this.numbers();
      const newest = await this.#newestOf(numbers, numbers[0] ?? 0, 0, attempt < listAttempts);
      if (newest !== undefined) return newest;
    }
  }

  /**
   * The next checkpoint below one whose frame is sound and whose payload is not, which counts as unreadable from now on.
   * @throws {StreamError} STATE_INCOMPATIBLE when it is of newer code
   */
  async older({ top, checkpoint, unreadable }: Newest): Promise<Newest> {
    const seq = checkpoint?.header.seq ?? 0;
    const below = (await this.numbers()).filter((number) => number < seq);
    return (
      (await this.#newestOf(below, top, unreadable + 1, false)) ??
      this.#newest(top, undefined, unreadable + 1)
    );
  }

  /**
   * Takes the next number for `writer`, on top of the newest checkpoint.
   * @returns the number and what to restore; undefined when others won every race, or are ahead already
   */
  async claim(
    header: (seq: number, base: number) => ClaimHeader,
  ): Promise<{ seq: number; newest: Newest } | undefined> {
    for (let attempt = 0; attempt < claimAttempts; attempt++) {
      const newest = await this.newest();
      const seq = newest.top + 1;
      const claim = header(seq, newest.checkpoint?.header.seq ?? 0);
      const created = await this.create({ header: claim, payload: new Uint8Array(0) }, new Set());
      if (created.outcome === "mine") {
        // Frozen since it listed, a process may have got a number that others used and pruned in the meantime.
        return (await this.top()) > seq ? undefined : { seq, newest };
      }
      if (created.outcome === "failed" || created.outcome === "unknown") {
        const text = `claim ${seq} of ${this.#folder} could not be written`;
        throw new StreamError("CHECKPOINT_UNWRITABLE", "retry", text, { cause: created.cause });
      }
    }
    return undefined;
  }

  /**
   * Creates the object that `frame` names. `earlier` are the nonces of attempts at the same number that ended "unknown": a
   * write whose answer was lost is recognised by reading it back.
   * @throws {StreamError} CHECKPOINT_UNWRITABLE (stop) when the store is not to be trusted any more
   */
  async create(frame: Frame, earlier: ReadonlySet<string>): Promise<Created> {
    const { seq, writer } = frame.header;
    const encoded = encodeFrame(frame);
    const mine = { outcome: "mine", digest: frameDigest(encoded) } as const;
    let refusal: { readonly cause: unknown } | undefined;
    try {
      const created = await this.#store.create(this.#frames.name(seq), encoded);
      if (created === "created") {
        this.#frames.met(frame);
        return mine;
      }
    } catch (cause) {
      if (cause instanceof StreamError && cause.disposition === "stop") throw cause;
      refusal = { cause };
    }
    try {
      const bytes = await this.#store.read(this.#frames.name(seq));
      if (bytes === undefined) {
        return refusal === undefined ? { outcome: "taken" } : absent(refusal.cause);
      }
      const nonce = nonceOf(bytes);
      if (nonce === writer.nonce) return mine;
      return earlier.has(nonce) ? { outcome: "earlier" } : { outcome: "taken" };
    } catch (cause) {
      return { outcome: "unknown", cause: refusal?.cause ?? cause };
    }
  }

  /** Nonce of the attempt that took a number; empty when that cannot be read any more. */
  async nonce(seq: number): Promise<string> {
    const bytes = await this.#store.read(this.#frames.name(seq));
    return bytes === undefined ? "" : nonceOf(bytes);
  }

  /** Numbers in the store, highest first; foreign names are left alone. */
  async numbers(): Promise<readonly number[]> {
    const names = await this.#store.list(this.#folder);
    const numbers = names.filter((name) => /^\d{12}$/.test(name)).map(Number);
    return numbers.sort((a, b) => b - a);
  }

  /**
   * Removes what recovery cannot need of `numbers`, highest first and none above the owner's newest: checkpoints below the
   * newest five and the newest three whole states, but for what a kept delta rests on, and claims below them that are a
   * week old.
   */
  async prune(numbers: readonly number[], wallMs: number): Promise<void> {
    let checkpoints = 0;
    let whole = 0;
    const bases = new Set<number>();
    for (const seq of numbers) {
      const known = await this.#frames.known(seq);
      const counts = checkpoints < keptCheckpoints || whole < keptWhole;
      if (counts || bases.has(seq)) {
        if (known.kind === "checkpoint") checkpoints++;
        if (known.kind === "checkpoint" && known.base === undefined) whole++;
        if (known.base !== undefined) bases.add(known.base);
        continue;
      }
      if (known.kind === "claim" && wallMs - known.at < keptClaimsMs) continue;
      await this.#store.remove(this.#frames.name(seq));
      this.#frames.forget(seq);
    }
  }

  #newest(top: number, checkpoint: Newest["checkpoint"], unreadable: number): Newest {
    return { top, checkpoint, unreadable, salvagedEpoch: this.#frames.salvagedEpoch };
  }

  /** @returns undefined when `again` and an object vanished since `numbers` were listed: its owner is at work */
  async #newestOf(
    numbers: readonly number[],
    top: number,
    unreadableAbove: number,
    again: boolean,
  ): Promise<Newest | undefined> {
    let unreadable = unreadableAbove;
    for (const seq of numbers) {
      const frame = await this.#frames.read(seq);
      if (frame === "pruned" && again) return undefined;
      if (frame === "pruned") continue;
      if (frame === "unreadable") unreadable++;
      if (frame === "unreadable" || frame.header.kind === "claim") continue;
      const { header, payload } = frame;
      const bases = await this.#frames.basesOf(header);
      if (bases === "pruned" && again) return undefined;
      if (typeof bases !== "string")
        return this.#newest(top, { header, payload, bases }, unreadable);
      this.#frames.salvage(header.jobEpoch);
      unreadable++;
    }
    return this.#newest(top, undefined, unreadable);
  }
}

/** What is not there after a write that ended with `cause`. */
function absent(cause: unknown): Created {
  const refused = cause instanceof StreamError && cause.code === "CHECKPOINT_REFUSED";
  return { outcome: refused ? "failed" : "unknown", cause };
}
