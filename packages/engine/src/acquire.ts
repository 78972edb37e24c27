import { type Canary } from "./canary.ts";
import {
  type CheckpointHeader,
  codeVersion,
  stateSchemaVersion,
  type Writer,
} from "./checkpoint.ts";
import type { CheckpointLadder, Newest } from "./checkpoint-ladder.ts";
import { StreamError } from "./errors.ts";
import type { PartitionInfo, PayloadCodec } from "./ports.ts";
import { Task } from "./task.ts";
import type { WindowedJob } from "./windowed-aggregate.ts";

/** A job as checkpoints know it. */
export type JobIdentity = {
  readonly name: string;
  readonly windowed: WindowedJob;
  /** Digest of everything that gives state its meaning. */
  readonly topology: string;
  /** Where a task without history begins. */
  readonly startAt: (info: PartitionInfo, partition: number) => Promise<number>;
};

/** A task that is ours. */
export type Acquired = {
  readonly task: Task;
  readonly jobEpoch: number;
  /** The number we took. */
  readonly seq: number;
  readonly unreadable: number;
  /** Without a checkpoint so far: where it begins must become durable before it does. */
  readonly fresh: boolean;
  /** The canary to be read again before the first new record, when the log still has it. */
  readonly verify: Canary | undefined;
};

/** Largest state that is restored, so that a broken size cannot take all memory. */
const maxStateBytes = 4 * 2 ** 30;

/**
 * Takes a task: claims the next number, restores the newest checkpoint and checks that the log is still the one it was
 * made from (protocol 2.4). undefined when other processes won every race for it.
 * @throws {StreamError} STATE_LOST, LOG_REPLACED, RECORDS_EXPIRED, STATE_INCOMPATIBLE: an operator must decide
 */
export async function acquireTask(
  job: JobIdentity,
  describe: () => Promise<PartitionInfo>,
  partition: number,
  ladder: CheckpointLadder,
  codec: PayloadCodec,
  writer: () => Writer,
): Promise<Acquired | undefined> {
  const claimed = await ladder.claim((seq, base) => ({
    kind: "claim",
    job: job.name,
    partition,
    seq,
    base,
    writer: writer(),
  }));
  if (claimed === undefined) return undefined;
  const { seq, newest } = claimed;
  // Asked only now: until the claim the owner before us may have gone on past a log end that was asked for earlier.
  const info = await describe();
  const { checkpoint, unreadable } = newest;
  if (checkpoint === undefined) {
    refuseLostState(info, partition, newest);
    const task = new Task(job.windowed, partition, await job.startAt(info, partition));
    return { task, jobEpoch: 0, seq, unreadable, fresh: true, verify: undefined };
  }
  const { header, payload } = checkpoint;
  checkCompatible(job, header);
  checkLog(info, header);
  const state = await codec.decompress(payload, Math.min(header.stateBytes, maxStateBytes));
  const task = Task.restore(job.windowed, partition, state);
  for (const decision of header.decisions) task.decide(decision.watermark);
  const sameCode = header.codeVersion === codeVersion && unreadable === 0;
  const jobEpoch = sameCode ? header.jobEpoch : header.jobEpoch + 1 + unreadable;
  return { task, jobEpoch, seq, unreadable, fresh: false, verify: canaryIn(info, task) };
}

/** The canary of a task as far as the log still has it. */
export function canaryIn(info: PartitionInfo, { canary }: Task): Canary | undefined {
  return canary !== undefined && canary.offset >= info.low ? canary : undefined;
}

/** Checks of a checkpoint, or of a task kept in memory, against the log as it is now. */
export function checkLog(
  info: PartitionInfo,
  { partition, log }: Pick<CheckpointHeader, "partition" | "log">,
): void {
  const where = `${info.topic} partition ${partition}`;
  if (log.clusterId !== info.clusterId) {
    const text = `${where}: the checkpoint is from Kafka cluster ${log.clusterId}, this one is ${info.clusterId}`;
    throw new StreamError(
      "LOG_REPLACED",
      "stop",
      `${text}; point KAFKA_BROKERS at the right cluster or start another PROCESSOR_GROUP`,
    );
  }
  // Kafka only ever adds partitions.
  if (log.partitions > info.partitions) {
    const text = `${where}: the topic had ${log.partitions} partitions at the checkpoint and has now ${info.partitions}: it was deleted and made again`;
    throw new StreamError(
      "LOG_REPLACED",
      "stop",
      `${text}; start another PROCESSOR_GROUP to read the new one`,
    );
  }
  if (log.nextOffset > info.high) {
    const text = `${where}: the checkpoint is at offset ${log.nextOffset}, the log ends at ${info.high}: the topic was deleted and made again`;
    throw new StreamError(
      "LOG_REPLACED",
      "stop",
      `${text}; start another PROCESSOR_GROUP to read the new one`,
    );
  }
  if (log.nextOffset < info.low) {
    const text = `${where}: ${info.low - log.nextOffset} records were removed by retention before they were processed`;
    throw new StreamError(
      "RECORDS_EXPIRED",
      "stop",
      `${text} (offsets ${log.nextOffset} to ${info.low - 1}); their counts are lost`,
    );
  }
}

function refuseLostState(info: PartitionInfo, partition: number, newest: Newest): void {
  const where = `${info.topic} partition ${partition}`;
  if (newest.unreadable > 0) {
    throw new StreamError(
      "STATE_LOST",
      "stop",
      `${where}: none of its checkpoints can be read; look at CHECKPOINT_URL`,
    );
  }
  if (info.low > 0 && info.committed !== undefined) {
    const text = `${where}: the group committed offset ${info.committed} but CHECKPOINT_URL holds no checkpoint, and the log no longer begins at 0`;
    throw new StreamError("STATE_LOST", "stop", `${text}: is this another host or a lost volume`);
  }
}

function checkCompatible(job: JobIdentity, header: CheckpointHeader): void {
  if (header.topology !== job.topology) {
    const text = `checkpoint ${header.seq} of partition ${header.partition} was made with other settings of ${job.name} (window, slide, delay, lateness or sums)`;
    throw new StreamError(
      "STATE_INCOMPATIBLE",
      "stop",
      `${text}; set them back, or start another PROCESSOR_GROUP`,
    );
  }
  if (header.codeVersion > codeVersion || header.stateSchemaVersion !== stateSchemaVersion) {
    const text = `checkpoint ${header.seq} of partition ${header.partition} was written by other code (version ${header.codeVersion})`;
    throw new StreamError("STATE_INCOMPATIBLE", "stop", `${text}; run that version`);
  }
}
