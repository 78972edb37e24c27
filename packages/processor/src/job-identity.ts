import { createHash } from "node:crypto";
import type { JobIdentity } from "@adstream/engine/acquire";
import type { PartitionInfo } from "@adstream/engine/ports";
import { slidingWindow } from "@adstream/engine/window";
import type { WindowedJob } from "@adstream/engine/windowed-aggregate";
import type { ProcessorConfig, StartAt } from "./config.ts";
import type { Job } from "./job.ts";

/** Finds the offset of the first record at or after a time, `high` when there is none. */
export type OffsetAtTime = (partition: number, epochMs: number) => Promise<number>;

/**
 * The job with its settings, as the engine and its checkpoints know it. The digest covers everything that gives state
 * its meaning: with other settings an old checkpoint is refused instead of being read wrongly.
 */
export function jobIdentity(
  job: Job,
  config: ProcessorConfig,
  offsetAt: OffsetAtTime,
): JobIdentity {
  const windowed: WindowedJob = {
    window: slidingWindow(config.WINDOW_SIZE, config.WINDOW_SLIDE),
    watermarkDelayMs: config.WATERMARK_DELAY,
    allowedLatenessMs: config.ALLOWED_LATENESS,
    maxFutureMs: config.MAX_FUTURE,
    sumCount: job.event.numbers.length,
  };
  const meaning = JSON.stringify({ job: job.name, event: job.event, windowed });
  return {
    name: `${config.PROCESSOR_GROUP}/${job.name}`,
    windowed,
    topology: createHash("sha256").update(meaning).digest("hex").slice(0, 16),
    startAt: (info, partition) => firstOffset(config.START_AT, info, partition, offsetAt),
  };
}

async function firstOffset(
  startAt: StartAt,
  info: PartitionInfo,
  partition: number,
  offsetAt: OffsetAtTime,
): Promise<number> {
  if (startAt === "earliest") return info.low;
  if (startAt === "latest") return info.high;
  return Math.max(info.low, await offsetAt(partition, startAt));
}
