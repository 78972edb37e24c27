import type { Acquired, Claimed } from "./acquire.ts";
import { canaryIn } from "./canary.ts";
import { carryWatermark } from "./check-settings.ts";
import type { CheckpointHeader, HeaderNotes } from "./checkpoint.ts";
import type { Restorable } from "./stored-frames.ts";
import { epochAfter } from "./epoch-after.ts";
import { StreamError } from "./errors.ts";
import type { OperatorDecision } from "./operator.ts";
import type { OperatorFlag, OperatorHalt } from "./operator-halt.ts";
import { takeSnapshot } from "./task-snapshot.ts";
import { Task } from "./task.ts";
import type { WindowedJob } from "./windowed-job.ts";

/** Why a task goes on differently from what its checkpoint alone says. */
export type Change = {
  /** The state as it was, of the job as it was. */
  readonly task: Task;
  readonly before: WindowedJob;
  /** Records are missing, and the operator accepts that. */
  readonly gap: OperatorHalt | undefined;
  readonly clearsSchemas: boolean;
};

/** Clocks of processors and brokers may differ by as much. */
const clockSkewMs = 600_000;

/**
 * Turns to another step function, or over a gap, at the offset of a checkpoint: other code, other settings, records that
 * are gone, schemas tried again, or later checkpoints that broke and the decisions in them with it. What the owner before published of records behind it is no longer what this task will
 * say, so the epoch rises.
 *
 * The turn is a checkpoint of its own, in the store before anything follows from it: whoever restores it finds the new
 * epoch and, unless the old owner stopped cleanly, that results of lower epochs are still to be superseded. Published
 * first, a result of the new epoch would outrank for ever what the old code says once it is rolled back.
 *
 * @returns undefined when another process took the task meanwhile
 */
export async function turn(
  context: Claimed,
  checkpoint: Restorable,
  change: Change,
): Promise<Acquired | undefined> {
  const { job, partition, ladder, codec, info, newest, clock, operator } = context;
  const { header } = checkpoint;
  const jobEpoch = epochAfter(header, context.seq);
  const decisions = operatorDecisions(context, header, change, jobEpoch);
  for (const decision of decisions) await operator.audit(decision);
  const task = changed(change, job.windowed, info.low);
  const notes: HeaderNotes = {
    begunWith: header.begunWith,
    operator: [...(header.operator ?? []), ...decisions],
    supersedes: superseded(context, header),
  };
  const { captured, header: unnumbered } = takeSnapshot(
    task,
    info,
    { job, clock },
    jobEpoch,
    header.decisions,
    notes,
  );
  const { state } = captured;
  const seq = context.seq + 1;
  const numbered: CheckpointHeader = { ...unnumbered, seq, writer: context.writer() };
  const created = await ladder.create(
    { header: numbered, payload: await codec.compress(state) },
    new Set(),
  );
  if (created.outcome === "taken") return undefined;
  if (created.outcome !== "mine") {
    const text = `${info.topic} partition ${partition}: checkpoint ${seq} could not be written`;
    throw new StreamError("CHECKPOINT_UNWRITABLE", "retry", text);
  }
  const next = Task.restore(job.windowed, partition, state);
  for (const decision of header.decisions) next.decide(decision.watermark);
  const verify = canaryIn(info, next);
  const { unreadable } = newest;
  return { task: next, jobEpoch, seq, unreadable, fresh: false, verify, notes, alone: false };
}

function changed(
  { task, before, gap, clearsSchemas }: Change,
  now: WindowedJob,
  low: number,
): Task {
  if (gap !== undefined) task.nextOffset = low;
  if (clearsSchemas) task.unknownSchemas.clear();
  carryWatermark(task, before, now);
  return task;
}

/** A savepoint that nobody claimed before us has nothing behind it. */
function superseded(
  { seq }: Claimed,
  { log, writer, savepoint, supersedes, seq: written }: CheckpointHeader,
): HeaderNotes["supersedes"] {
  if (savepoint === true && seq === written + 1) return undefined;
  // What a decision closed at this very offset has w = 2n + 1, and the decision is in this checkpoint or before it.
  const above = 2 * log.nextOffset + 1;
  const sinceMs = Date.parse(writer.at) - clockSkewMs;
  return {
    above: Math.min(above, supersedes?.above ?? above),
    sinceMs: Math.min(sinceMs, supersedes?.sinceMs ?? sinceMs),
  };
}

function operatorDecisions(
  { info, partition, clock, writer }: Claimed,
  { log }: CheckpointHeader,
  { gap, clearsSchemas, task }: Change,
  jobEpoch: number,
): OperatorDecision[] {
  const decide = (
    flag: OperatorFlag,
    why: string,
    missing: OperatorDecision["missing"],
  ): OperatorDecision => ({
    flag,
    topic: info.topic,
    partition,
    nextOffset: gap === undefined ? log.nextOffset : info.low,
    missing,
    jobEpoch,
    why,
    at: new Date(clock.wallMs()).toISOString(),
    instance: writer().instance,
  });
  const decisions: OperatorDecision[] = [];
  if (gap !== undefined) {
    const count = info.low - log.nextOffset;
    const missing = { from: log.nextOffset, to: info.low - 1, count };
    decisions.push(decide("accept-gap", gap.finding, missing));
  }
  if (clearsSchemas) {
    const ids = [...task.unknownSchemas].join(", ");
    decisions.push(decide("retry-schemas", `schema ids decided to be unknown: ${ids}`, null));
  }
  return decisions;
}
