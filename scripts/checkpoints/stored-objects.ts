import { decodeFrame, type Frame } from "@adstream/engine/checkpoint";
import type { BrowsableStore } from "@adstream/processor/checkpoint-store";
import type { CheckpointsOptions } from "./options.ts";

/** One task with checkpoints in the store. */
export type StoredTask = {
  /** Group and job, which name its folder. */
  readonly job: string;
  readonly partition: number;
  readonly folder: string;
};

/** One numbered object. */
export type StoredObject = {
  readonly task: StoredTask;
  readonly seq: number;
  readonly bytes: number;
  /** What it holds, or why that cannot be said. */
  readonly content: Frame | { readonly problem: string };
};

/** Tasks in the store, by job and partition. */
export async function storedTasks(
  store: BrowsableStore,
  { job, partition }: Pick<CheckpointsOptions, "job" | "partition">,
): Promise<StoredTask[]> {
  const tasks: StoredTask[] = [];
  for (const name of job === undefined ? await jobsIn(store) : [job]) {
    for (const folder of (await store.folders(name)).toSorted()) {
      const number = /^p(\d{4,})$/.exec(folder)?.[1];
      if (number === undefined) continue;
      if (partition !== undefined && Number(number) !== partition) continue;
      tasks.push({ job: name, partition: Number(number), folder: `${name}/${folder}` });
    }
  }
  return tasks;
}

async function jobsIn(store: BrowsableStore): Promise<string[]> {
  const jobs: string[] = [];
  for (const group of (await store.folders("")).toSorted()) {
    for (const job of (await store.folders(group)).toSorted()) jobs.push(`${group}/${job}`);
  }
  return jobs;
}

/** Objects of a task one by one, newest first; one that its owner removes meanwhile is left out. */
export async function* storedObjects(
  store: BrowsableStore,
  task: StoredTask,
  only?: number,
): AsyncGenerator<StoredObject> {
  const names = (await store.list(task.folder)).filter((name) => /^\d{12}$/.test(name));
  for (const name of names.toSorted().toReversed()) {
    const seq = Number(name);
    if (only !== undefined && seq !== only) continue;
    const bytes = await store.read(`${task.folder}/${name}`);
    if (bytes === undefined) continue;
    yield { task, seq, bytes: bytes.length, content: contentOf(bytes, task, seq) };
  }
}

function contentOf(bytes: Uint8Array, task: StoredTask, seq: number): StoredObject["content"] {
  try {
    const frame = decodeFrame(bytes);
    const { header } = frame;
    if (header.seq !== seq) return { problem: `it is a copy of ${header.seq}` };
    const own = header.job === task.job && header.partition === task.partition;
    if (!own) return { problem: `it belongs to ${header.job} partition ${header.partition}` };
    return frame;
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/** The frame of an object, unless that cannot be read. */
export function frameOf({ content }: StoredObject): Frame | undefined {
  return "problem" in content ? undefined : content;
}
