import { acceptDeadLetters } from "./accept-dead-letters.ts";
import { contradiction } from "./byte-layout.ts";
import { type Canary, canaryIn } from "./canary.ts";
import { checkCode, codeVersionOf, jobOf } from "./check-settings.ts";
import { logProblem } from "./check-log.ts";
import type { HeaderNotes, Writer } from "./checkpoint.ts";
import type { CheckpointLadder, Newest } from "./checkpoint-ladder.ts";
import { epochAfter } from "./epoch-after.ts";
import { StreamError } from "./errors.ts";
import { milestones } from "./milestones.ts";
import { absentOperator, type Operator, type OperatorDecision } from "./operator.ts";
import {
  checkpointsGone,
  contentUnreadable,
  noReadableCheckpoint,
  OperatorHalt,
} from "./operator-halt.ts";
import type { Clock, PartitionInfo, PayloadCodec } from "./ports.ts";
import { epochAbove, type ResultHistory } from "./result-history.ts";
import type { Lifted } from "./start-permissions.ts";
import { migrateState } from "./state-migrations.ts";
import type { Restorable } from "./stored-frames.ts";
import { Task } from "./task.ts";
import { turn } from "./turn.ts";
import { wholeState } from "./whole-state.ts";
import type { WindowedJob } from "./windowed-job.ts";

/** A job as checkpoints know it. */
export type JobIdentity = {
  readonly name: string;
  readonly windowed: WindowedJob;
  /** Digest of everything that gives state its meaning. */
  readonly topology: string;
  /** The digest as it would be with these windows; without it no setting may change. */
  readonly topologyOf?: (windowed: WindowedJob) => string;
  /** What the digest is made of, by name and in words, for people. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Raised when the same log gives other results; that of the engine when left out. */
  readonly codeVersion?: number;
  /** Where a task without history begins. */
  readonly startAt: (info: PartitionInfo, partition: number) => Promise<number>;
};

/** A task that is ours. */
export type Acquired = {
  readonly task: Task;
  readonly jobEpoch: number;
  /** The number we took last. */
  readonly seq: number;
  readonly unreadable: number;
  /** Without a checkpoint so far: where it begins must become durable before it does. */
  readonly fresh: boolean;
  /** The canary to be read again before the first new record, when the log still has it. */
  readonly verify: Canary | undefined;
  /** What goes from checkpoint to checkpoint. */
  readonly notes: HeaderNotes;
  /** Nobody published a result of a record behind this state. */
  readonly alone: boolean;
};

export type AcquireOptions = {
  readonly job: JobIdentity;
  readonly partition: number;
  readonly ladder: CheckpointLadder;
  readonly codec: PayloadCodec;
  readonly clock: Clock;
  readonly describe: () => Promise<PartitionInfo>;
  readonly writer: () => Writer;
  readonly operator?: Operator | undefined;
  readonly history?: ResultHistory | undefined;
  /** Partitions the topic had when the job began; undefined when it has not. Asked for a task without history. */
  readonly begunWith?: () => Promise<number | undefined>;
} & Lifted;

/** What is known once the task is claimed. */
export type Claimed = AcquireOptions & {
  readonly seq: number;
  readonly newest: Newest;
  readonly info: PartitionInfo;
  readonly operator: Operator;
};

/**
 * Takes a task: claims the next number, restores the newest checkpoint and checks that the log is still the one it was
 * made from (protocol 2.4). undefined when other processes won every race for it.
 * @throws {OperatorHalt} STATE_LOST, LOG_REPLACED, RECORDS_EXPIRED, STATE_INCOMPATIBLE, unless the operator permits to go
 *   on
 */
export async function acquireTask(options: AcquireOptions): Promise<Acquired | undefined> {
  const { job, partition, ladder, writer, operator = absentOperator } = options;
  const claimed = await ladder.claim((seq, base) => ({
    kind: "claim",
    job: job.name,
    partition,
    seq,
    base,
    writer: writer(),
  }));
  if (claimed === undefined) return undefined;
  milestones.claimed.publish(undefined);
  // Asked only now: until the claim the owner before us may have gone on past a log end that was asked for earlier.
  const info = await options.describe();
  const context: Claimed = { ...options, ...claimed, info, operator };
  const acquired = await adopt(context);
  return acquired && acceptDeadLetters(context, acquired);
}

/** Goes on from the newest checkpoint; one whose frame is sound and whose content is not is passed over like a broken one. */
async function adopt(context: Claimed): Promise<Acquired | undefined> {
  const { ladder, newest, operator } = context;
  const { checkpoint } = newest;
  try {
    return checkpoint === undefined ? await begin(context) : await goOn(context, checkpoint);
  } catch (error) {
    if (error instanceof StreamError && error.code === "CHECKPOINT_UNREADABLE") {
      const older = await ladder.older(newest);
      if (older.checkpoint !== undefined) return adopt({ ...context, newest: older });
    }
    if (!(error instanceof OperatorHalt)) throw error;
    // Frozen since the claim, a process holds the log of now against checkpoints of then: the task is another's meanwhile.
    if ((await ladder.top()) > context.seq) return undefined;
    if (!startsOver(error) || !operator.permits(error.flag)) throw error;
    return startOver(context, error, error.flag);
  }
}

/** A task nobody has a checkpoint of. */
async function begin(context: Claimed): Promise<Acquired> {
  const { job, partition, seq, newest, info, history } = context;
  const place = { topic: info.topic, partition };
  if (newest.unreadable > 0) throw noReadableCheckpoint(place);
  if (info.committed === undefined) {
    const from = (await isNew(context)) ? info.low : await job.startAt(info, partition);
    const task = new Task(job.windowed, partition, from);
    const alone = seq === 1;
    return { ...fresh(context, task, 0), alone };
  }
  if (info.low > 0) throw checkpointsGone(place, info.committed);
  // Everything is still there to be computed again, START_AT or not; decisions that were taken before are lost.
  const jobEpoch = history === undefined ? 0 : await epochAbove(history, partition, undefined);
  return fresh(context, new Task(job.windowed, partition, info.low), jobEpoch);
}

/** A partition that was added to a topic in use begins at its beginning, whatever START_AT says of the others. */
async function isNew({ partition, begunWith }: Claimed): Promise<boolean> {
  return partition > 0 && ((await begunWith?.()) ?? Infinity) <= partition;
}

function fresh(context: Claimed, task: Task, jobEpoch: number): Acquired {
  const { seq, newest, info } = context;
  return {
    task,
    jobEpoch,
    seq,
    unreadable: newest.unreadable,
    fresh: true,
    verify: undefined,
    notes: { begunWith: info.partitions },
    alone: false,
  };
}

async function goOn(context: Claimed, checkpoint: Restorable): Promise<Acquired | undefined> {
  const { job, seq, newest, info, operator } = context;
  const { header } = checkpoint;
  checkCode(info, header, codeVersionOf(job));
  const problem = context.replaced ?? logProblem(info, header);
  const expired = problem?.flag === "accept-gap" && operator.permits("accept-gap");
  if (problem !== undefined && !expired) throw problem;
  const before = jobOf(job, info, header);
  if (before instanceof OperatorHalt) throw before;
  const task = await restored(context, checkpoint, before);
  const clearsSchemas = task.unknownSchemas.size > 0 && operator.permits("retry-schemas");
  const changed = header.codeVersion !== codeVersionOf(job) || header.topology !== job.topology;
  // What is broken may have held decisions, and results rest on them that nobody will compute again.
  const fellBack = newest.unreadable > 0;
  if (expired || clearsSchemas || changed || fellBack) {
    return turn(context, checkpoint, {
      task,
      before,
      gap: expired ? problem : undefined,
      clearsSchemas,
    });
  }
  for (const decision of header.decisions) task.decide(decision.watermark);
  const { begunWith, operator: decided, supersedes } = header;
  return {
    task,
    jobEpoch: header.jobEpoch,
    seq,
    unreadable: 0,
    fresh: false,
    verify: canaryIn(info, task),
    notes: { begunWith, operator: decided, supersedes },
    alone: header.savepoint === true && seq === header.seq + 1,
  };
}

async function restored(
  { codec, partition, info }: Claimed,
  checkpoint: Restorable,
  job: WindowedJob,
): Promise<Task> {
  const { header } = checkpoint;
  try {
    const state = await wholeState(codec, checkpoint);
    const task = Task.restore(job, partition, migrateState(header.stateSchemaVersion, state));
    if (task.nextOffset !== header.log.nextOffset) throw contradiction("the offset of its header");
    return task;
  } catch (error) {
    if (!(error instanceof StreamError) || error.code !== "CHECKPOINT_UNREADABLE") throw error;
    throw contentUnreadable({ topic: info.topic, partition }, header.seq, error);
  }
}

/** The flags that leave the state behind; a gap is gone on over. */
function startsOver(halt: OperatorHalt): halt is OperatorHalt & { flag: StartOverFlag } {
  return halt.flag === "from-beginning" || halt.flag === "accept-new-log";
}

type StartOverFlag = "from-beginning" | "accept-new-log";

/** Begins at the start of the log, in an epoch that outranks everything published so far. */
async function startOver(
  context: Claimed,
  halt: OperatorHalt,
  flag: StartOverFlag,
): Promise<Acquired> {
  const { job, partition, newest, info, operator, history, clock } = context;
  const { checkpoint, salvagedEpoch = -1 } = newest;
  const jobEpoch =
    checkpoint !== undefined
      ? Math.max(epochAfter(checkpoint.header, context.seq), salvagedEpoch + 1)
      : await epochAbove(requireHistory(history, halt), partition, newest.salvagedEpoch);
  const { low, topic } = info;
  const before = low === 0 ? null : { from: 0, to: low - 1, count: low };
  const decision: OperatorDecision = {
    flag,
    topic,
    partition,
    nextOffset: low,
    missing: flag === "from-beginning" ? before : null,
    jobEpoch,
    why: halt.finding,
    at: new Date(clock.wallMs()).toISOString(),
    instance: context.writer().instance,
  };
  await operator.audit(decision);
  const acquired = fresh(context, new Task(job.windowed, partition, low), jobEpoch);
  const earlier = checkpoint?.header.operator ?? [];
  return { ...acquired, notes: { ...acquired.notes, operator: [...earlier, decision] } };
}

function requireHistory(history: ResultHistory | undefined, halt: OperatorHalt): ResultHistory {
  if (history !== undefined) return history;
  throw new StreamError("INTERNAL", "stop", `${halt.finding}; the results cannot be read back`);
}
