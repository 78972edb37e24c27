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
  readonly state: Uint8Array;
  /** How long the task stood still for the copy. */
  readonly pauseMs: number;
};

/** Copies the state; the only pause a checkpoint costs. */
export function takeSnapshot(
  task: Task,
  info: PartitionInfo,
  { job, clock }: Pick<RunOptions, "job" | "clock">,
  jobEpoch: number,
  decisions: readonly Decision[],
  notes: HeaderNotes = {},
): TaskSnapshot {
  const startedAt = clock.nowMs();
  const state = task.snapshot();
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
    stateBytes: state.length,
    settings: job.settings ?? {},
    timing: timingOf(job.windowed),
    ...notes,
  };
  return { header, state, pauseMs: clock.nowMs() - startedAt };
}
