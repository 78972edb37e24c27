import { StreamError } from "@adstream/engine/errors";

/** Clocks to compare; monotonic and wall time of this machine unless a test moves them. */
export type Clocks = { readonly nowMs: () => number; readonly wallMs: () => number };

/** With the 2 s between two heartbeats less than the usual session of 8 s. */
const toleranceMs = 3_000;
const machine: Clocks = { nowMs: () => performance.now(), wallMs: () => Date.now() };

/**
 * kafkajs times its heartbeats by the wall clock: after a step back it sends none until the clock has caught up. The group
 * drops the member, which goes on reading what belongs to others and is fenced again and again. A new process is a member
 * at once.
 *
 * @returns to be called at every fetch; throws `StreamError` CLOCK_STEPPED_BACK when the wall clock lost more than 3 s on
 *   the monotonic one since the call before
 */
export function clockSteps({ nowMs, wallMs }: Clocks = machine): () => void {
  let aheadMs = wallMs() - nowMs();
  return () => {
    const beforeMs = aheadMs;
    aheadMs = wallMs() - nowMs();
    const lostMs = beforeMs - aheadMs;
    if (lostMs <= toleranceMs) return;
    const text = `the clock of this host was set back by ${Math.round(lostMs / 1_000)} s, and the consumer group is told nothing until it has caught up`;
    throw new StreamError("CLOCK_STEPPED_BACK", "stop", `${text}; start again`);
  };
}
