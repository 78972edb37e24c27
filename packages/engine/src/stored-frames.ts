import { type CheckpointHeader, decodeFrame, type Frame, frameDigest } from "./checkpoint.ts";
import { StreamError } from "./errors.ts";
import type { CheckpointStore } from "./ports.ts";
import { salvageEpoch } from "./salvage-epoch.ts";

/** A checkpoint, with all it takes to have its state again. */
export type Restorable = {
  readonly header: CheckpointHeader;
  readonly payload: Uint8Array;
  /** Of a delta: the whole state it goes back to, then the deltas between, each the base of the next. */
  readonly bases: readonly Pick<Restorable, "header" | "payload">[];
};

/** An object met so far, as pruning needs to know it. */
export type Known = {
  readonly kind: "claim" | "checkpoint" | "unreadable";
  readonly at: number;
  /** Number that a delta is to be applied to. */
  readonly base?: number | undefined;
};

/** Why there is no frame. */
export type Absent = "unreadable" | "pruned";
export type FoundFrame = Frame & { readonly digest: string };

/** The frames of one task's objects, as they are found in the store. */
export class StoredFrames {
  /** Highest epoch that broken objects still show, of those read since it was reset. */
  salvagedEpoch: number | undefined;
  readonly #store: CheckpointStore;
  readonly #folder: string;
  readonly #known = new Map<number, Known>();

  constructor(store: CheckpointStore, folder: string) {
    this.#store = store;
    this.#folder = folder;
  }

  /** @throws {StreamError} STATE_INCOMPATIBLE for a frame of newer code */
  async read(seq: number): Promise<FoundFrame | Absent> {
    const bytes = await this.#store.read(this.name(seq));
    if (bytes === undefined) return "pruned";
    try {
      const frame = decodeFrame(bytes);
      // A copy under another name tells nothing of the number it stands in for.
      if (frame.header.seq !== seq) return "unreadable";
      this.met(frame);
      return { ...frame, digest: frameDigest(bytes) };
    } catch (error) {
      if (!(error instanceof StreamError) || error.code !== "CHECKPOINT_UNREADABLE") throw error;
      this.salvage(salvageEpoch(bytes) ?? -1);
      return "unreadable";
    }
  }

  salvage(epoch: number): void {
    if (epoch > (this.salvagedEpoch ?? -1)) this.salvagedEpoch = epoch;
  }

  /**
   * What the state of a delta is made from, the whole state first; nothing for a whole state. Each is the very object that
   * the one after it names, so an intact chain is the one its writer knew.
   */
  async basesOf({ delta }: CheckpointHeader): Promise<Restorable["bases"] | Absent> {
    const bases: Restorable["bases"][number][] = [];
    // It has an end: no frame can hold its own digest.
    for (let base = delta; base !== undefined;) {
      const frame = await this.read(base.seq);
      if (typeof frame === "string") return frame;
      if (frame.digest !== base.digest || frame.header.kind === "claim") return "unreadable";
      bases.push({ header: frame.header, payload: frame.payload });
      base = frame.header.delta;
    }
    return bases.toReversed();
  }

  /** What pruning needs to know of an object; read only when it was not met so far. */
  async known(seq: number): Promise<Known> {
    const known = this.#known.get(seq);
    if (known !== undefined) return known;
    await this.read(seq);
    return this.#known.get(seq) ?? { kind: "unreadable", at: 0 };
  }

  met(frame: Frame): void {
    this.#known.set(frame.header.seq, knownOf(frame));
  }

  forget(seq: number): void {
    this.#known.delete(seq);
  }

  name(seq: number): string {
    return `${this.#folder}/${String(seq).padStart(12, "0")}`;
  }
}

function knownOf({ header }: Frame): Known {
  const base = header.kind === "claim" ? undefined : header.delta?.seq;
  return { kind: header.kind, at: Date.parse(header.writer.at), base };
}

/** Nonce of the attempt that wrote these bytes; empty when that cannot be read any more. */
export function nonceOf(bytes: Uint8Array): string {
  try {
    return decodeFrame(bytes).header.writer.nonce;
  } catch {
    return "";
  }
}
