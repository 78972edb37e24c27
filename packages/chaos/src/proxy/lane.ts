import { once } from "node:events";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Ending } from "./faults.ts";

/** What every connection of a proxy suffers from now on. */
export type Conditions = {
  /** Each way. */
  readonly latencyMs?: number;
  /** Of each connection, each way. */
  readonly bytesPerSecond?: number;
  /** Nothing passes, nothing is closed: the other side is gone without a word. */
  readonly silent?: boolean;
  /** New connections are reset. */
  readonly refusing?: boolean;
};

export type LaneOptions = {
  readonly target: Socket;
  readonly conditions: () => Conditions;
  /** Called once when the fuse has burnt down. */
  readonly end: (ending: Ending) => void;
  readonly signal: AbortSignal;
};

type Waiting = { readonly bytes: Buffer; readonly dueMs: number };

const maxQueuedBytes = 1024 * 1024;
const slicesPerSecond = 20;
/** Turns of the event loop, however long they take, and the time of each: a peer in this very process accepts and reads in them. */
const [arrivalTurns, turnMs] = [4, 3];

/** One direction of one connection: bytes in order, each as late and as slowly as conditions say. */
export class Lane {
  readonly #options: LaneOptions;
  readonly #queue: Waiting[] = [];
  #queuedBytes = 0;
  #working: Promise<void> | undefined;
  #lastDueMs = 0;
  #fuse: { bytesLeft: number; readonly ending: Ending } | undefined;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Ends the connection when so many more bytes have passed. */
  light(passBytes: number, ending: Ending): void {
    this.#fuse ??= { bytesLeft: passBytes, ending };
  }

  /** Resolves when more can be taken. Never rejects. */
  async push(bytes: Buffer, delayMs: number): Promise<void> {
    const { latencyMs = 0 } = this.#options.conditions();
    this.#lastDueMs = Math.max(this.#lastDueMs, performance.now() + latencyMs + delayMs);
    this.#queue.push({ bytes, dueMs: this.#lastDueMs });
    this.#queuedBytes += bytes.length;
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
    if (this.#queuedBytes > maxQueuedBytes) await this.#working;
  }

  /** Resolves when all that was pushed is written. */
  async drained(): Promise<void> {
    await this.#working;
  }

  async #work(): Promise<void> {
    const { signal } = this.#options;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const waitMs = next.dueMs - performance.now();
      if (waitMs > 0) await this.#sleep(waitMs);
      if (signal.aborted) return;
      await this.#write(next.bytes);
      this.#queuedBytes -= next.bytes.length;
    }
  }

  async #write(bytes: Buffer): Promise<void> {
    const { conditions, signal, target } = this.#options;
    for (let at = 0; at < bytes.length && !signal.aborted;) {
      const { bytesPerSecond, silent = false } = conditions();
      const sliceBytes = Math.max(1, Math.floor((bytesPerSecond ?? Infinity) / slicesPerSecond));
      const slice = bytes.subarray(
        at,
        at + Math.min(sliceBytes, this.#fuse?.bytesLeft ?? Infinity),
      );
      at += slice.length;
      if (!silent && slice.length > 0 && !target.write(slice)) {
        await once(target, "drain", { signal }).catch(() => {});
      }
      if (this.#fuse !== undefined) {
        this.#fuse.bytesLeft -= slice.length;
        if (this.#fuse.bytesLeft === 0) return this.#burnt(this.#fuse.ending);
      }
      if (bytesPerSecond !== undefined) await this.#sleep(1_000 / slicesPerSecond);
    }
  }

  /** A reset would overtake what was just written, and have the other side forget it. */
  async #burnt(ending: Ending): Promise<void> {
    const { target, end } = this.#options;
    // The connection may not be there yet.
    await new Promise<void>((resolve) => target.write("", () => resolve()));
    for (let turn = 0; turn < arrivalTurns; turn++) await this.#sleep(turnMs);
    end(ending);
  }

  async #sleep(ms: number): Promise<void> {
    const { signal } = this.#options;
    await sleep(ms, undefined, { signal }).catch(() => {});
  }
}
