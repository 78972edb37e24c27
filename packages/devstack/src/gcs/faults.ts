import { ArmedFaults, type FaultHandle } from "../armed-faults.ts";

/** What a request asks for. */
export type GcsOperation =
  | "upload"
  | "download"
  | "metadata"
  | "list"
  | "delete"
  | "bucket"
  | "create-bucket";

/**
 * What happens to a request that a fault matches.
 * - status: no effect, answered with an error of this HTTP status.
 * - "refuse": the connection is cut before anything is read; no effect.
 * - "lose-response": the request takes effect, the connection is cut instead of an answer.
 * - "hang": no effect, and no answer ever comes.
 * - "late": no answer comes either, and the request takes effect when `GcsFaults.arrive` is called, whoever still waits.
 * - cutAfterBytes: the connection is cut after so many bytes of the body, of an upload on its way here (no effect), else
 *   of the answer.
 * - delayMs: looked at only then.
 * - flipBit: one bit of the content changes on its way, to the server or to the client.
 */
export type GcsFaultAction =
  | "refuse"
  | "lose-response"
  | "hang"
  | "late"
  | { readonly status: number }
  | { readonly cutAfterBytes: number }
  | { readonly delayMs: number }
  | { readonly flipBit: number };

export type GcsFault = {
  /** Left out: any. */
  readonly operation?: GcsOperation;
  /** Only requests for an object whose name contains this. */
  readonly name?: string;
  /** How many requests it hits before it is spent; 1 when left out, Infinity for all. */
  readonly count?: number;
  readonly action: GcsFaultAction;
};

/** Scripted faults of one server: each request is hit by the first one that matches. */
export class GcsFaults {
  readonly #armed = new ArmedFaults<GcsFault>();
  readonly #underway: (() => void)[] = [];

  add(fault: GcsFault): FaultHandle {
    return this.#armed.add(fault);
  }

  clear(): void {
    this.#armed.clear();
  }

  /** Lets everything "late" take effect now, in the order it was sent. */
  arrive(): void {
    for (const take of this.#underway.splice(0)) take();
  }

  /** Keeps the effect of a late request for `arrive`. */
  delay(take: () => void): void {
    this.#underway.push(take);
  }

  match(operation: GcsOperation, name: string): GcsFaultAction | undefined {
    return this.#armed.hitFirst((fault) => matches(fault, operation, name))?.action;
  }
}

function matches(fault: GcsFault, operation: GcsOperation, name: string): boolean {
  if (fault.operation !== undefined && fault.operation !== operation) return false;
  return fault.name === undefined || name.includes(fault.name);
}
