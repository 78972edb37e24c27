import type { Acquired, Claimed } from "./acquire.ts";
import type { TooManyDeadLetters } from "./operator-halt.ts";
import type { OperatorDecision } from "./operator.ts";

/** Records of a task that may be dead letters, however many are. */
export type AcceptedDeadLetters = {
  /** What the process would have ended with. */
  readonly halt: TooManyDeadLetters;
  /** First offset that is judged again. */
  readonly before: number;
};

/**
 * Goes on although the breaker tripped. Results are the same with the permission and without it, so this is no turn: the
 * epoch stays, and the permission ends with the process. Whoever goes on from a checkpoint in between is asked again.
 */
export async function acceptDeadLetters(
  { info, partition, clock, operator, writer, deadLetters }: Claimed,
  acquired: Acquired,
): Promise<Acquired> {
  const { task, jobEpoch, notes } = acquired;
  if (deadLetters === undefined || task.nextOffset >= deadLetters.before) return acquired;
  const { halt, before } = deadLetters;
  const decision: OperatorDecision = {
    flag: "accept-dead-letters",
    topic: info.topic,
    partition,
    nextOffset: task.nextOffset,
    missing: null,
    tolerated: { from: task.nextOffset, to: before - 1 },
    jobEpoch,
    why: halt.finding,
    at: new Date(clock.wallMs()).toISOString(),
    instance: writer().instance,
  };
  await operator.audit(decision);
  task.acceptDeadLettersBefore(before);
  return { ...acquired, notes: { ...notes, operator: [...(notes.operator ?? []), decision] } };
}
