import type { HeaderNotes } from "./checkpoint.ts";
import { StreamError } from "./errors.ts";
import { isFilled, windowsOf } from "./pane-windows.ts";
import type { PublishedSlot } from "./result-history.ts";
import { appendResult, resultKey, type ResultColumns, resultStatuses } from "./results.ts";
import { decisionPatienceMs, type RunOptions } from "./run-options.ts";
import type { Task } from "./task.ts";
import { watermarkTime } from "./watermark.ts";
import { paneLength } from "./window.ts";
import { WindowResults } from "./window-results.ts";

const corrected = resultStatuses.indexOf("corrected");

/** A task that turned, before it reads its first record. */
export type Turned = {
  readonly task: Task;
  readonly jobEpoch: number;
  readonly supersedes: NonNullable<HeaderNotes["supersedes"]>;
  /** `Clock.nowMs` before the claim. */
  readonly claimedAt: number;
  /** Whether the group still gives us the task: who was frozen must not take back what another says by now. */
  readonly current: () => boolean;
};

/**
 * Outranks what the owner before published of records behind the turn: every slot that may still change is published as
 * it stands, and what else the results topic holds from there on becomes a slot without records.
 *
 * Repeatable: all of it carries the version of the turn or an older one, so whatever the task says later wins.
 *
 * The old owner may not know yet that it lost the task. It is waited for as long as it publishes without asking; a
 * process that freezes inside of a send for longer than that can still add a slot that nobody outranks.
 */
export async function supersede(
  options: RunOptions,
  { task, jobEpoch, supersedes, claimedAt, current }: Turned,
  signal: AbortSignal,
): Promise<void> {
  const { clock, results, history, events } = options;
  const { partition } = task;
  if (history === undefined) {
    const text = `partition ${partition}: results of the code before cannot be read back`;
    throw new StreamError("INTERNAL", "stop", text);
  }
  const waitMs = claimedAt + decisionPatienceMs(options) - clock.nowMs();
  if (waitMs > 0) await clock.sleep(waitMs, signal);
  if (!current()) return;
  const { sinceMs, above } = supersedes;
  const wanted = { sinceMs, above, belowEpoch: jobEpoch };
  const { slots, complete } = await history.published(partition, wanted);
  if (!current()) return;
  const standing = standingResults(task);
  const count = standing.count;
  addEmptied(standing, slots, 2 * task.nextOffset);
  await results.publish({ partition, jobEpoch, results: standing, deadLetters: [], late: [] });
  const emptied = standing.count - count;
  events.superseded?.({ partition, jobEpoch, standing: count, emptied, complete });
}

/** Every slot that may still change, with the version of its last change. */
export function standingResults(task: Task): ResultColumns {
  const { aggregate, job } = task;
  const results = new WindowResults(job, paneLength(job.window));
  const through = watermarkTime(aggregate.watermark);
  const mayChange = (end: number): boolean => end > through - job.allowedLatenessMs;
  for (const start of windowsOf(aggregate.panes.values(), job.window, isFilled, mayChange)) {
    const open = start + job.window.sizeMs > through;
    // A window that held nothing when its end passed closed without a word: all it says is a correction.
    const closedAt = open ? undefined : (aggregate.closed.get(start) ?? 0);
    results.addStanding(start, aggregate, closedAt);
  }
  return results.take();
}

/** Appends a slot without records for each of `slots` that has no row. */
function addEmptied(
  results: ResultColumns,
  slots: readonly PublishedSlot[],
  version: number,
): void {
  const named = new Set<string>();
  const name = (windowStart: number, key: Uint8Array): string =>
    `${windowStart}/${Buffer.from(key).toString("latin1")}`;
  for (let row = 0; row < results.count; row++) {
    named.add(name(results.windowStart[row] ?? 0, resultKey(results, row)));
  }
  for (const { key, windowStart, windowEnd } of slots) {
    if (named.has(name(windowStart, key))) continue;
    named.add(name(windowStart, key));
    const row = appendResult(results, key);
    results.windowStart[row] = windowStart;
    results.windowEnd[row] = windowEnd;
    results.version[row] = version;
    results.status[row] = corrected;
    results.maxEventTime[row] = windowStart;
    results.maxRecordTime[row] = -1;
  }
}
