import type { Intake } from "./intake.ts";
import type { RunOptions } from "./run-options.ts";
import type { TaskCheckpoints } from "./task-checkpoints.ts";
import type { Task } from "./task.ts";
import type { Unsaved } from "./unsaved.ts";

type Limited = {
  readonly task: Task;
  readonly checkpoints: TaskCheckpoints;
  readonly intake: Intake;
  readonly unsaved: Unsaved;
};

/** Stops intake of a task when a restart would have too much to read again, and says so once. */
export function limitReplay(
  { task, checkpoints, intake, unsaved }: Limited,
  { clock, events, replayLimits }: RunOptions,
): void {
  if (replayLimits === undefined) return;
  const nowMs = clock.nowMs();
  const now = { nowMs, logTime: task.logTime, failing: checkpoints.failing };
  const excess = unsaved.excess(replayLimits, now);
  if (excess === undefined || !intake.hold("replay")) return;
  const { partition } = task;
  events.replayLimited?.({ partition, excess, bytes: unsaved.bytes, ageMs: unsaved.ageMs(nowMs) });
}

/** Lets intake go on once a checkpoint got through. */
export function endReplayLimit({ task, intake }: Limited, { events }: RunOptions): void {
  if (intake.release("replay")) events.replayUnlimited?.({ partition: task.partition });
}
