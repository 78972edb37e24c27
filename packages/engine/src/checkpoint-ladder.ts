import {
  type CheckpointHeader,
  type ClaimHeader,
  decodeFrame,
  encodeFrame,
  type Frame,
} from "./checkpoint.ts";
import { StreamError } from "./errors.ts";
import type { CheckpointStore } from "./ports.ts";

/** Races lost in a row before a claim gives up and is tried again later. */
const claimAttempts = 20;
const keptCheckpoints = 5;
const keptClaimsMs = 7 * 24 * 3_600_000;

/** The newest readable checkpoint of a task, and what lies above it. */
export type Newest = {
  /** Highest sequence number in the store, of whatever kind; 0: none. */
  readonly top: number;
  readonly checkpoint: (Frame & { readonly header: CheckpointHeader }) | undefined;
  /** Unreadable objects above the checkpoint: results of their time may be in the log. */
  readonly unreadable: number;
};

/**
 * The outcome of creating one numbered object. "earlier": an attempt of ours before this one had got through after all.
 * "unknown": the store did not say, and reading back did not help.
 */
export type Created = "mine" | "earlier" | "taken" | "failed" | "unknown";

/**
 * The numbered objects of one task. A number is taken, never renewed: whoever creates number n + 1 owns the task from then
 * on, and an older owner finds its next number taken. No clock, lease or group generation is trusted (protocol 2.7).
 */
export class CheckpointLadder {
  readonly #store: CheckpointStore;
  readonly #folder: string;
  /** Kind and age of objects met so far, for pruning. */
  readonly #known = new Map<number, { kind: "claim" | "checkpoint" | "unreadable"; at: number }>();

  constructor(store: CheckpointStore, job: string, partition: number) {
    this.#store = store;
    this.#folder = `${job}/p${String(partition).padStart(4, "0")}`;
  }

  /** Highest number taken; 0: none. */
  async top(): Promise<number> {
    return (await this.#numbers())[0] ?? 0;
  }

  /** @throws {StreamError} STATE_INCOMPATIBLE when the newest checkpoint is of newer code */
  async newest(): Promise<Newest> {
    const numbers = await this.#numbers();
    const top = numbers[0] ?? 0;
    let unreadable = 0;
    for (const seq of numbers) {
      const frame = await this.#frame(seq);
      if (frame === undefined) unreadable++;
      else if (isCheckpoint(frame)) return { top, checkpoint: frame, unreadable };
    }
    return { top, checkpoint: undefined, unreadable };
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
      const created = await this.create({ header: claim, payload: new Uint8Array(0) }, []);
      if (created === "mine") {
        // Frozen since it listed, a process may have got a number that others used and pruned in the meantime.
        return (await this.top()) > seq ? undefined : { seq, newest };
      }
      if (created !== "taken") {
        const text = `claim ${seq} of ${this.#folder} could not be written`;
        throw new StreamError("CHECKPOINT_UNWRITABLE", "retry", text);
      }
    }
    return undefined;
  }

  /**
   * Creates the object that `frame` names. `earlier` are the nonces of attempts at the same number that ended "unknown": a
   * write whose answer was lost is recognised by reading it back.
   * @throws {StreamError} CHECKPOINT_UNWRITABLE (stop) when the store is not to be trusted any more
   */
  async create(frame: Frame, earlier: readonly string[]): Promise<Created> {
    const { seq, kind, writer } = frame.header;
    let failed = false;
    try {
      const created = await this.#store.create(this.#name(seq), encodeFrame(frame));
      if (created === "created") {
        this.#known.set(seq, { kind, at: Date.parse(writer.at) });
        return "mine";
      }
    } catch (error) {
      if (error instanceof StreamError && error.disposition === "stop") throw error;
      failed = true;
    }
    try {
      const bytes = await this.#store.read(this.#name(seq));
      if (bytes === undefined) return failed ? "failed" : "taken";
      const nonce = nonceOf(bytes);
      if (nonce === writer.nonce) return "mine";
      return earlier.includes(nonce) ? "earlier" : "taken";
    } catch {
      return "unknown";
    }
  }

  /** Nonce of the attempt that took a number; empty when that cannot be read any more. */
  async nonce(seq: number): Promise<string> {
    const bytes = await this.#store.read(this.#name(seq));
    return bytes === undefined ? "" : nonceOf(bytes);
  }

  /** Removes what recovery cannot need: checkpoints below the newest five, and claims below them that are a week old. */
  async prune(newestSeq: number, wallMs: number): Promise<void> {
    const numbers = (await this.#numbers()).filter((seq) => seq <= newestSeq);
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

  async #learn(seq: number): Promise<{ kind: "claim" | "checkpoint" | "unreadable"; at: number }> {
    await this.#frame(seq);
    return this.#known.get(seq) ?? { kind: "unreadable", at: 0 };
  }

  async #frame(seq: number): Promise<Frame | undefined> {
    const bytes = await this.#store.read(this.#name(seq));
    if (bytes === undefined) return undefined;
    try {
      const frame = decodeFrame(bytes);
      const { kind, writer } = frame.header;
      this.#known.set(seq, { kind, at: Date.parse(writer.at) });
      return frame;
    } catch (error) {
      if (error instanceof StreamError && error.code === "CHECKPOINT_UNREADABLE") return undefined;
      throw error;
    }
  }

  /** Numbers in the store, highest first; foreign names are left alone. */
  async #numbers(): Promise<number[]> {
    const names = await this.#store.list(this.#folder);
    const numbers = names.filter((name) => /^\d{12}$/.test(name)).map(Number);
    return numbers.sort((a, b) => b - a);
  }

  #name(seq: number): string {
    return `${this.#folder}/${String(seq).padStart(12, "0")}`;
  }
}

function isCheckpoint(frame: Frame): frame is Frame & { header: CheckpointHeader } {
  return frame.header.kind === "checkpoint";
}

function nonceOf(bytes: Uint8Array): string {
  try {
    return decodeFrame(bytes).header.writer.nonce;
  } catch {
    return "";
  }
}
