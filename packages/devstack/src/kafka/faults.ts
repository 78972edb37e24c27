import { ArmedFaults, type FaultHandle } from "../armed-faults.ts";

/**
 * What happens to a request that a fault matches.
 * - "close-before": the connection is cut, the request has no effect.
 * - "close-after": the request takes effect, the connection is cut instead of an answer.
 * - "drop-response": the request takes effect, no answer ever comes, the connection stays open.
 * - delayMs: the request waits before it is looked at, and those behind it on its connection with it.
 * - errorCode: the request has no effect on what the fault names and is answered with the code.
 */
export type FaultAction =
  | "drop-response"
  | "close-before"
  | "close-after"
  | { readonly delayMs: number }
  | { readonly errorCode: number };

export type Fault = {
  /** Which requests, by API key (0 Produce, 1 Fetch, …); left out: all. */
  readonly apiKey?: number;
  /** Only requests that name this topic; with errorCode only the topic's part of the answer. */
  readonly topic?: string;
  readonly partition?: number;
  /** How many requests it hits before it is spent; 1 when left out, Infinity for all. */
  readonly count?: number;
  readonly action: FaultAction;
};

/** A topic and partition that a request names; partition undefined: the topic as a whole. */
export type Target = { readonly topic: string; readonly partition?: number | undefined };

/** Scripted faults of one server. Matched in the order they were added; one request can be hit by several. */
export class Faults {
  readonly #armed = new ArmedFaults<Fault>();

  add(fault: Fault): FaultHandle {
    return this.#armed.add(fault);
  }

  /** Ends all faults. */
  clear(): void {
    this.#armed.clear();
  }

  /** Counts a hit for every fault that matches, and returns them. */
  match(apiKey: number, targets: readonly Target[]): Fault[] {
    return this.#armed.hitAll((fault) => matches(fault, apiKey, targets));
  }
}

function matches(fault: Fault, apiKey: number, targets: readonly Target[]): boolean {
  if (fault.apiKey !== undefined && fault.apiKey !== apiKey) return false;
  if (fault.topic === undefined && fault.partition === undefined) return true;
  return targets.some((target) => concerns(fault, target));
}

/** True when the fault means this topic and partition. */
export function concerns(fault: Fault, target: Target): boolean {
  if (fault.topic !== undefined && fault.topic !== target.topic) return false;
  if (fault.partition === undefined || target.partition === undefined) return true;
  return fault.partition === target.partition;
}
