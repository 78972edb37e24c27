import type { HoldReason } from "@adstream/engine/intake";
import type { OwnedTask } from "@adstream/engine/owned-task";
import { watermarkTime } from "@adstream/engine/watermark";

/** Where one task stands; sent to `pnpm dev` each second and read by the metrics. */
export type TaskProgress = {
  readonly partition: number;
  /** Records since the beginning of the log by outcome: in = counted + late + dead + duplicates. */
  readonly in: number;
  readonly late: number;
  readonly dead: number;
  readonly duplicates: number;
  readonly nextOffset: number;
  /** Records that are in the log and not applied; null before the first fetch. */
  readonly lagRecords: number | null;
  /** How far the watermark is behind the log's own time, ms; null before the first record. */
  readonly watermarkDelayMs: number | null;
  readonly openWindows: number;
  /** Since this process has the task. */
  readonly closedWindows: number;
  readonly keys: number;
  readonly stateBytes: number;
  /** Event ids in memory that redeliveries are told by; null without deduplication. */
  readonly eventIds: number | null;
  readonly checkpointAgeMs: number;
  /** Input that a restart would read again, and for how long it has been there. */
  readonly uncheckpointedBytes: number;
  readonly uncheckpointedMs: number;
  /** Why no records are taken; empty while they are. */
  readonly intakeHeld: readonly HoldReason[];
};

/** Next offset to be written to a partition, as the last fetch said; undefined before the first one. */
export type LogEnd = (partition: number) => number | undefined;

export function taskProgress(owned: OwnedTask, logEnd: LogEnd, nowMs: number): TaskProgress {
  const { task, checkpoints, unsaved, intake } = owned;
  const { aggregate, partition, nextOffset } = task;
  const end = logEnd(partition);
  const watermark = watermarkTime(aggregate.watermark);
  const known = Number.isFinite(watermark) && task.highestRecordTime >= 0;
  return {
    partition,
    ...task.counts,
    nextOffset,
    lagRecords: end === undefined ? null : Math.max(0, end - nextOffset),
    watermarkDelayMs: known ? task.highestRecordTime - watermark : null,
    openWindows: aggregate.openWindows,
    closedWindows: aggregate.closedWindows,
    keys: aggregate.keys.count,
    stateBytes: aggregate.byteLength + (task.seen?.byteLength ?? 0),
    eventIds: task.seen?.count ?? null,
    checkpointAgeMs: nowMs - checkpoints.writtenAt,
    uncheckpointedBytes: unsaved.bytes,
    uncheckpointedMs: unsaved.ageMs(nowMs),
    intakeHeld: [...intake.reasons],
  };
}
