import type { Clock } from "@adstream/engine/ports";
import type { Task } from "@adstream/engine/task";
import { watermarkTime } from "@adstream/engine/watermark";
import { type EpochMs, nextWindowEnd } from "@adstream/engine/window";

export type FetchPaceOptions = {
  /** The present ones. */
  readonly tasks: () => readonly { readonly task: Pick<Task, "partition" | "aggregate"> }[];
  /** Infinity: there are no early results. */
  readonly emitIntervalMs: number;
  readonly clock: Pick<Clock, "nowMs">;
};

/** While nothing that a fetch could bring comes out soon. Heartbeats and early results may be this much later. */
const restMs = 50;
/** While a window is about to close. */
const hurryMs = 1;
/** Early results come out with a fetch: one that is late by a share of their interval delays them by as much. */
const emitShare = 0.2;
/** Share of the longest stride that still counts after the next one. */
const strideMemory = 0.9;
/** A partition that has not closed its window so long after it should have has no events. */
const overdueMs = 1_000;

/** How far event time was complete in a partition, and by how much it advances from one fetch to the next. */
type Progress = { readonly time: EpochMs; readonly atMs: number; readonly strideMs: number };

/**
 * How long after a fetch the next one starts. A fetch of a trickle costs 1 to 2 ms of CPU whatever it brings, and what it
 * brings waits in memory instead of in the log, unless a window closes. So fetches come seldom, and one after the other
 * when the next events are likely to close a window: event time goes on as time does, and in the strides of the last
 * fetches.
 */
export function fetchPace({ tasks, emitIntervalMs, clock }: FetchPaceOptions): () => number {
  const progress = new Map<number, Progress>();
  const slowestMs = Math.min(restMs, Math.max(hurryMs, emitIntervalMs * emitShare));

  function paceOf({ partition, aggregate }: Pick<Task, "partition" | "aggregate">): number {
    const { watermark, job } = aggregate;
    const time = watermarkTime(watermark);
    if (time === Number.NEGATIVE_INFINITY) return slowestMs;
    const nowMs = clock.nowMs();
    const now = advanced(progress.get(partition), time, nowMs);
    progress.set(partition, now);
    const leftMs = nextWindowEnd(time, job.window) - time - (nowMs - now.atMs);
    if (leftMs < -overdueMs) return slowestMs;
    return Math.min(slowestMs, Math.max(hurryMs, leftMs - now.strideMs));
  }

  return () => tasks().reduce((paceMs, { task }) => Math.min(paceMs, paceOf(task)), slowestMs);
}

function advanced(before: Progress | undefined, time: EpochMs, atMs: number): Progress {
  if (before === undefined) return { time, atMs, strideMs: 0 };
  if (before.time === time) return before;
  return { time, atMs, strideMs: Math.max(time - before.time, before.strideMs * strideMemory) };
}
