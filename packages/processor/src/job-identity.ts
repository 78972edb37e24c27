import { createHash } from "node:crypto";
import type { JobIdentity } from "@adstream/engine/acquire";
import type { PartitionInfo } from "@adstream/engine/ports";
import { slidingWindow } from "@adstream/engine/window";
import type { WindowedJob } from "@adstream/engine/windowed-job";
import type { EventProjection } from "@adstream/kafka/event-projection";
import type { ProcessorConfig, StartAt } from "./config.ts";
import type { Job, Measure } from "./job.ts";
import { jobColumns } from "./job-columns.ts";

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
  const { sums, maxima } = jobColumns(job);
  const windowed: WindowedJob = {
    window: slidingWindow(config.WINDOW_SIZE, config.WINDOW_SLIDE),
    watermarkDelayMs: config.WATERMARK_DELAY,
    allowedLatenessMs: config.ALLOWED_LATENESS,
    maxFutureMs: config.MAX_FUTURE,
    sumCount: sums.length,
    ...(maxima.length > 0 && { maxCount: maxima.length }),
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
  job: Job,
  { DEDUPLICATE }: Pick<ProcessorConfig, "DEDUPLICATE">,
): EventProjection {
  const { projection } = jobColumns(job);
  const id = DEDUPLICATE === "event_id" ? job.eventId : undefined;
  return id === undefined ? projection : { ...projection, id };
}

/** Without deduplication or a limit of keys as it was before there were any. How many ids may be remembered says nothing about state. */
function digestOf({ name }: Job, projection: EventProjection, windowed: WindowedJob): string {
  // That counts and times have no fraction says nothing about state.
  const { whole: _, ...event } = projection;
  const { deduplicate, ...rest } = windowed;
  const horizon = deduplicate && { deduplicate: { horizonMs: deduplicate.horizonMs } };
  const meaning = JSON.stringify({ job: name, event, windowed: { ...rest, ...horizon } });
  return createHash("sha256").update(meaning).digest("hex").slice(0, 16);
}

/** What the digest is made of, as people write it. */
function settingsOf(job: Job, config: ProcessorConfig): Readonly<Record<string, string>> {
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
    "the key": job.key,
    "the event time": timeText(job.eventTime),
    ...measureTexts(job.measures),
  };
}

function timeText({ field, unit }: Job["eventTime"]): string {
  return unit === "ms" ? field : `${field} in ${unit}`;
}

/** A line for each kind that the job has. */
function measureTexts(measures: readonly Measure[]): Record<string, string> {
  const texts = new Map<string, string[]>();
  for (const measure of measures) {
    const [kind, text] =
      "count" in measure
        ? ["the counts", `${measure.count} = ${measure.equals} of ${measure.among.join("|")}`]
        : "sum" in measure
          ? ["the sums", `${measure.sum} from ${measure.from} to ${measure.to}`]
          : ["the maxima", `${measure.max} from ${measure.from} to ${measure.to}`];
    texts.set(kind, [...(texts.get(kind) ?? []), text]);
  }
  return Object.fromEntries([...texts].map(([kind, lines]) => [kind, lines.join(", ")]));
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
