import { createHash } from "node:crypto";
import type { JobIdentity } from "@adstream/engine/acquire";
import type { PartitionInfo } from "@adstream/engine/ports";
import { slidingWindow } from "@adstream/engine/window";
import type { WindowedJob } from "@adstream/engine/windowed-aggregate";
import type { EventProjection } from "@adstream/kafka/event-projection";
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
    maxKeys: config.MAX_KEYS,
    ...(config.DEDUPLICATE === "event_id" && {
      deduplicate: {
        horizonMs: config.DEDUPLICATE_HORIZON,
        maxIds: config.DEDUPLICATE_MAX_IDS,
      },
    }),
  };
  return {
    name: `${config.PROCESSOR_GROUP}/${job.name}`,
    windowed,
    topology: digestOf(job, eventProjection(job, config), windowed),
    topologyOf: (changed) => digestOf(job, eventProjection(job, config), changed),
    settings: settingsOf(job, config),
    startAt: (info, partition) => firstOffset(config.START_AT, info, partition, offsetAt),
  };
}

/** What is read of an event: its id only where redeliveries are told by it. */
export function eventProjection(
  { event, eventId }: Pick<Job, "event" | "eventId">,
  { DEDUPLICATE }: Pick<ProcessorConfig, "DEDUPLICATE">,
): EventProjection {
  return DEDUPLICATE === "event_id" ? { ...event, id: eventId } : event;
}

/** Without deduplication or a limit of keys as it was before there were any. How many ids may be remembered says nothing about state. */
function digestOf({ name }: Job, event: EventProjection, windowed: WindowedJob): string {
  const { deduplicate, ...rest } = windowed;
  const horizon = deduplicate && { deduplicate: { horizonMs: deduplicate.horizonMs } };
  const meaning = JSON.stringify({ job: name, event, windowed: { ...rest, ...horizon } });
  return createHash("sha256").update(meaning).digest("hex").slice(0, 16);
}

/** What the digest is made of, as people write it. */
function settingsOf({ event }: Job, config: ProcessorConfig): Readonly<Record<string, string>> {
  const { DEDUPLICATE } = config;
  return {
    WINDOW_SIZE: durationText(config.WINDOW_SIZE),
    WINDOW_SLIDE: durationText(config.WINDOW_SLIDE),
    WATERMARK_DELAY: durationText(config.WATERMARK_DELAY),
    ALLOWED_LATENESS: durationText(config.ALLOWED_LATENESS),
    MAX_FUTURE: durationText(config.MAX_FUTURE),
    MAX_KEYS: String(config.MAX_KEYS),
    DEDUPLICATE,
    ...(DEDUPLICATE !== "off" && {
      DEDUPLICATE_HORIZON: durationText(config.DEDUPLICATE_HORIZON),
    }),
    "the key": event.key,
    "the event time": event.eventTime,
    "the sums": event.numbers
      .map(({ field, min, max }) => `${field} from ${min} to ${max}`)
      .join(", "),
  };
}

const units = [
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
] as const;

/** `90s`, `2m`: in the largest unit that says it exactly. */
function durationText(ms: number): string {
  const [unit, unitMs] = units.find((one) => ms > 0 && ms % one[1] === 0) ?? ["ms", 1];
  return ms === 0 ? "0s" : `${ms / unitMs}${unit}`;
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
