import type { JobIdentity } from "./acquire.ts";
import { type CheckpointHeader, codeVersion as engineVersion, type Timing } from "./checkpoint.ts";
import { codeIsOlder, type OperatorHalt, settingsChanged } from "./operator-halt.ts";
import type { PartitionInfo } from "./ports.ts";
import { migratable } from "./state-migrations.ts";
import type { Task } from "./task.ts";
import type { WindowedJob } from "./windowed-job.ts";

/** Version of the code of a job: with a higher one the same log gives other results. */
export function codeVersionOf(job: Pick<JobIdentity, "codeVersion">): number {
  return job.codeVersion ?? engineVersion;
}

/** @throws {OperatorHalt} STATE_INCOMPATIBLE when newer code wrote the checkpoint; no flag helps */
export function checkCode(info: PartitionInfo, header: CheckpointHeader, ownVersion: number): void {
  const { codeVersion, partition, seq } = header;
  if (codeVersion <= ownVersion && migratable(header.stateSchemaVersion)) return;
  const place = { topic: info.topic, partition };
  throw codeIsOlder(place, seq, `version ${codeVersion}`, `version ${ownVersion}`);
}

/**
 * Whether the state of a checkpoint can be gone on with under the settings of `job`: the delay of the watermark,
 * MAX_FUTURE and MAX_KEYS may change either way, ALLOWED_LATENESS may shrink. More lateness would need windows that are gone.
 *
 * @returns the job as it was when the checkpoint was made, or what an operator must decide
 */
export function jobOf(
  job: JobIdentity,
  info: PartitionInfo,
  header: CheckpointHeader,
): WindowedJob | OperatorHalt {
  if (header.topology === job.topology) return job.windowed;
  const { timing, partition, seq } = header;
  // Older code knew no limit of keys.
  const before = timing && { ...job.windowed, maxKeys: undefined, ...timing };
  const onlyTiming = before !== undefined && job.topologyOf?.(before) === header.topology;
  const moreLateness =
    before !== undefined && before.allowedLatenessMs < job.windowed.allowedLatenessMs;
  if (onlyTiming && !(moreLateness && header.watermark !== null)) return before;
  const changes = settingChanges(header.settings ?? {}, job.settings ?? {});
  return settingsChanged({ topic: info.topic, partition }, seq, job.name, changes);
}

/** "WINDOW_SIZE was 1m and is 2m" for each name that differs; nothing when one side has no settings at all. */
export function settingChanges(
  before: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): string[] {
  if (Object.keys(before).length === 0) return [];
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...names].flatMap((name) => {
    const [was = "unset", is = "unset"] = [before[name], now[name]];
    return was === is ? [] : [`${name} was ${was} and is ${is}`];
  });
}

/**
 * Makes the state of a job with another delay go on where its watermark stands: it neither falls back behind windows that
 * closed, nor jumps over ones that did not. The next record moves it by the delay of now.
 */
export function carryWatermark(task: Task, before: Timing, now: Timing): void {
  task.aggregate.watermark.highest += now.watermarkDelayMs - before.watermarkDelayMs;
}

/** The settings that may change, for the header. */
export function timingOf({
  watermarkDelayMs,
  allowedLatenessMs,
  maxFutureMs,
  maxKeys,
}: WindowedJob): Timing {
  return { watermarkDelayMs, allowedLatenessMs, maxFutureMs, maxKeys };
}
