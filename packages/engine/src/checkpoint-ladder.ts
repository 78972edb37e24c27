import {
  type CheckpointHeader,
  type ClaimHeader,
  decodeFrame,
  encodeFrame,
  type Frame,
} from "./checkpoint.ts";
import { StreamError } from "./errors.ts";
import type { CheckpointStore } from "./ports.ts";
import { salvageEpoch } from "./salvage-epoch.ts";

/** Races lost in a row before a claim gives up and is tried again later. */
const claimAttempts = 20;
/** Listings that were out of date in a row before what vanished is left aside. */
const listAttempts = 20;
const keptCheckpoints = 5;
const keptClaimsMs = 7 * 24 * 3_600_000;

/** The newest readable checkpoint of a task, and what lies above it. */
export type Newest = {
  /** Highest sequence number in the store, of whatever kind; 0: none. */
  readonly top: number;
  readonly checkpoint: (Frame & { readonly header: CheckpointHeader }) | undefined;
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
  | { readonly outcome: "mine" | "earlier" | "taken" }
  | { readonly outcome: "failed" | "unknown"; readonly cause: unknown };

/**
 * The numbered objects of one task. A number is taken, never renewed: whoever creates number n + 1 owns the task from then
 * on, and an older owner finds its next number taken. No clock, lease or group generation is trusted (protocol 2.7).
 */
export class CheckpointLadder {
  readonly #store: CheckpointStore;
  readonly #folder: string;
  /** Kind and age of objects met so far, for pruning. */
  readonly #known = new Map<number, { kind: "claim" | "checkpoint" | "unreadable"; at: number }>();

  #salvagedEpoch: number | undefined;

  constructor(store: CheckpointStore, job: string, partition: number) {
    this.#store = store;
    this.#folder = `${job}/p${String(partition).padStart(4, "0")}`;
  }

  /** Highest number taken; 0: none. */
  async top(): Promise<number> {
    return (await this.numbers())[0] ?? 0;
  }

  /** @throws {StreamError} STATE_INCOMPATIBLE when the newest checkpoint is of newer code */
  async newest(): Promise<Newest> {
    this.#salvagedEpoch = undefined;
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
    const { seq, kind, writer } = frame.header;
    let refusal: { readonly cause: unknown } | undefined;
    try {
      const created = await this.#store.create(this.#name(seq), encodeFrame(frame));
      if (created === "created") {
        this.#known.set(seq, { kind, at: Date.parse(writer.at) });
        return { outcome: "mine" };
      }
    } catch (cause) {
      if (cause instanceof StreamError && cause.disposition === "stop") throw cause;
      refusal = { cause };
    }
    try {
      const bytes = await this.#store.read(this.#name(seq));
      if (bytes === undefined) {
        return refusal === undefined ? { outcome: "taken" } : absent(refusal.cause);
      }
      const nonce = nonceOf(bytes);
      if (nonce === writer.nonce) return { outcome: "mine" };
      return { outcome: earlier.has(nonce) ? "earlier" : "taken" };
    } catch (cause) {
      return { outcome: "unknown", cause: refusal?.cause ?? cause };
    }
  }

  /** Nonce of the attempt that took a number; empty when that cannot be read any more. */
  async nonce(seq: number): Promise<string> {
    const bytes = await this.#store.read(this.#name(seq));
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
   * newest five, and claims below them that are a week old.
   */
  async prune(numbers: readonly number[], wallMs: number): Promise<void> {
    let checkpoints = 0;
    for (const seq of numbers) {
      const known = this.#known.get(seq) ?? (await this.#learn(seq));
      if (checkpoints < keptCheckpoints) {
        if (known.kind === "checkpoint") checkpoints++;
        continue;
      }
      if (known.kind === "claim" && wallMs - known.at < keptClaimsMs) continue;
      await this.#store.remove(this.#name(seq));
      this.#known.delete(seq);
    }
  }

  #newest(top: number, checkpoint: Newest["checkpoint"], unreadable: number): Newest {
    return { top, checkpoint, unreadable, salvagedEpoch: this.#salvagedEpoch };
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
      const frame = await this.#frame(seq);
      if (frame === "pruned" && again) return undefined;
      if (frame === "pruned") continue;
      if (frame === "unreadable") unreadable++;
      else if (isCheckpoint(frame)) return this.#newest(top, frame, unreadable);
    }
    return this.#newest(top, undefined, unreadable);
  }

  async #learn(seq: number): Promise<{ kind: "claim" | "checkpoint" | "unreadable"; at: number }> {
    await this.#frame(seq);
    return this.#known.get(seq) ?? { kind: "unreadable", at: 0 };
  }

  async #frame(seq: number): Promise<Frame | "unreadable" | "pruned"> {
    const bytes = await this.#store.read(this.#name(seq));
    if (bytes === undefined) return "pruned";
    try {
      const frame = decodeFrame(bytes);
      const { kind, writer, seq: own } = frame.header;
      // A copy under another name tells nothing of the number it stands in for.
      if (own !== seq) return "unreadable";
      this.#known.set(seq, { kind, at: Date.parse(writer.at) });
      return frame;
    } catch (error) {
      if (!(error instanceof StreamError) || error.code !== "CHECKPOINT_UNREADABLE") throw error;
      const epoch = salvageEpoch(bytes) ?? -1;
      if (epoch > (this.#salvagedEpoch ?? -1)) this.#salvagedEpoch = epoch;
      return "unreadable";
    }
  }

  #name(seq: number): string {
    return `${this.#folder}/${String(seq).padStart(12, "0")}`;
  }
}

function isCheckpoint(frame: Frame): frame is Frame & { header: CheckpointHeader } {
  return frame.header.kind === "checkpoint";
}

/** What is not there after a write that ended with `cause`. */
function absent(cause: unknown): Created {
  const refused = cause instanceof StreamError && cause.code === "CHECKPOINT_REFUSED";
  return { outcome: refused ? "failed" : "unknown", cause };
}

function nonceOf(bytes: Uint8Array): string {
  try {
    return decodeFrame(bytes).header.writer.nonce;
  } catch {
    return "";
  }
}
