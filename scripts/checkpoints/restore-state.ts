import { migrateState } from "@adstream/engine/state-migrations";
import type { Restorable } from "@adstream/engine/stored-frames";
import { Task } from "@adstream/engine/task";
import { wholeState } from "@adstream/engine/whole-state";
import { cell } from "@adstream/engine/pane";
import { environment } from "@adstream/processor/config";
import type { Job } from "@adstream/processor/job";
import { jobIdentity } from "@adstream/processor/job-identity";
import { jobs } from "@adstream/processor/jobs/jobs";
import { zstdCodec } from "@adstream/processor/zstd-codec";

/** What a checkpoint's state holds, in figures. */
export type StateSummary = {
  readonly keys: number;
  readonly panes: number;
  readonly openWindows: number;
  readonly stateBytes: number;
  readonly eventIds: number;
  /** Ids of schemas that nobody knew, by decision. */
  readonly unknownSchemas: readonly number[];
  /** Ads with the most records in open panes. */
  readonly topAds: readonly { readonly ad: string; readonly records: number }[];
};

const topCount = 10;

/** Settings that a checkpoint may have been made with, when it does not say: those of the environment. */
export type Settings = Readonly<Record<string, string>>;

/**
 * Restores a checkpoint as the processor does, under the settings it was made with.
 *
 * @throws Error in one line: broken content, or settings and code that are not known here
 */
export async function restoreState(checkpoint: Restorable, otherwise: Settings): Promise<Task> {
  const { header, bases } = checkpoint;
  const stated = Object.entries(header.settings ?? {}).filter(
    ([name]) => name in environment.shape,
  );
  const settings = { ...otherwise, ...Object.fromEntries(stated) };
  const config = environment.parse(settings);
  const job = jobOf(header.job);
  const identity = jobIdentity(job, config, async () => 0);
  if (identity.topology !== header.topology) {
    throw new Error(`made with other settings than ${described(settings)}, so not restored`);
  }
  const state = await wholeState(zstdCodec, checkpoint);
  if (bases.length === 0 && state.length !== header.stateBytes) {
    throw new Error(`holds ${state.length} bytes of state, its header says ${header.stateBytes}`);
  }
  const migrated = migrateState(header.stateSchemaVersion, state);
  const task = Task.restore(identity.windowed, header.partition, migrated);
  if (task.nextOffset !== header.log.nextOffset) {
    const text = `its state is at offset ${task.nextOffset}, its header at ${header.log.nextOffset}`;
    throw new Error(text);
  }
  for (const { watermark } of header.decisions) task.decide(watermark);
  return task;
}

function described(settings: Settings): string {
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  return lines.length === 0 ? "the defaults" : lines.join(" ");
}

export function summarize(task: Task): StateSummary {
  const { aggregate, unknownSchemas, seen } = task;
  return {
    keys: aggregate.keys.count,
    panes: aggregate.panes.size,
    openWindows: aggregate.openWindows,
    stateBytes: aggregate.byteLength,
    eventIds: seen?.count ?? 0,
    unknownSchemas: [...unknownSchemas].toSorted((a, b) => a - b),
    topAds: topAds(task),
  };
}

function topAds({ aggregate }: Task): StateSummary["topAds"] {
  const recordsOf = new Map<number, number>();
  for (const pane of aggregate.panes.values()) {
    for (let index = 0; index < pane.count; index++) {
      const key = pane.keys[index] ?? 0;
      const records = pane.cells[index * pane.stride + cell.records] ?? 0;
      recordsOf.set(key, (recordsOf.get(key) ?? 0) + records);
    }
  }
  const most = [...recordsOf].toSorted(([a, x], [b, y]) => y - x || a - b).slice(0, topCount);
  const decoder = new TextDecoder();
  return most.map(([key, records]) => ({
    ad: decoder.decode(aggregate.keys.key(key)),
    records,
  }));
}

/** @param name of the group and of the job in it. @throws Error in one line */
function jobOf(name: string): Job {
  const job = Object.values(jobs).find((known) => name.endsWith(`/${known.name}`));
  if (job === undefined) throw new Error(`of ${name}, a job that is not known here`);
  return job;
}
