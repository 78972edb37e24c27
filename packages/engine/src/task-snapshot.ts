import { type Captured, CheckpointChain } from "./checkpoint-chain.ts";
import { codeVersionOf, timingOf } from "./check-settings.ts";
import {
  type CheckpointHeader,
  type Decision,
  type HeaderNotes,
  stateSchemaVersion,
} from "./checkpoint.ts";
import type { PartitionInfo } from "./ports.ts";
import type { RunOptions } from "./run-options.ts";
import type { Task } from "./task.ts";
import { watermarkTime } from "./watermark.ts";

/** A task's state at one offset: a checkpoint but for its number and writer. */
export type TaskSnapshot = {
  readonly header: Omit<CheckpointHeader, "seq" | "writer">;
  readonly captured: Captured;
  /** How long the task stood still for the copy. */
  readonly pauseMs: number;
};

/**
 * Copies the state, or what `chain` says is enough of it; the only pause a checkpoint costs. A savepoint is whole, so that
 * code that knows no deltas can go on from it.
 */
export function takeSnapshot(
  task: Task,
  info: PartitionInfo,
  { job, clock }: Pick<RunOptions, "job" | "clock">,
  jobEpoch: number,
  decisions: readonly Decision[],
  notes: HeaderNotes = {},
  chain = new CheckpointChain(),
): TaskSnapshot {
  const startedAt = clock.nowMs();
  const captured = chain.capture(task, notes.savepoint === true);
  const watermark = watermarkTime(task.aggregate.watermark);
  const header = {
    kind: "checkpoint" as const,
    job: job.name,
    partition: task.partition,
    jobEpoch,
    topology: job.topology,
    stateSchemaVersion,
    codeVersion: codeVersionOf(job),
    log: {
      clusterId: info.clusterId,
      topic: info.topic,
      partitions: info.partitions,
      nextOffset: task.nextOffset,
      canary: task.canary ?? null,
      low: info.low,
      high: info.high,
    },
    watermark: Number.isFinite(watermark) ? watermark : null,
    counts: { ...task.counts },
    decisions,
    stateBytes: captured.state.length,
    delta: captured.delta,
    settings: job.settings ?? {},
    timing: timingOf(job.windowed),
    ...notes,
  };
  return { header, captured, pauseMs: clock.nowMs() - startedAt };
}
