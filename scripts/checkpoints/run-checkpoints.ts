import { StoredFrames } from "@adstream/engine/stored-frames";
import {
  type BrowsableStore,
  checkpointUrl,
  readCheckpointStore,
} from "@adstream/processor/checkpoint-store";
import { checkpointEnvironment, type environment as processor } from "@adstream/processor/config";
import { ConfigError } from "@adstream/service/config-error";
import { readEnvironment } from "@adstream/service/environment";
import { z } from "zod";
import { type CheckpointsOptions, checkpointsOptions, usage } from "./options.ts";
import { restoreState, type Settings, type StateSummary, summarize } from "./restore-state.ts";
import { frameOf, type StoredObject, storedObjects, storedTasks } from "./stored-objects.ts";
import { listLines, rowOf, showJson, showLines } from "./wording.ts";

/** What `pnpm checkpoints` reads: where, and the settings that old checkpoints do not say they were made with. */
export const environment = z.object(checkpointEnvironment);
const settingNames = [
  "WINDOW_SIZE",
  "WINDOW_SLIDE",
  "WATERMARK_DELAY",
  "ALLOWED_LATENESS",
  "MAX_FUTURE",
  "DEDUPLICATE",
  "DEDUPLICATE_HORIZON",
] as const satisfies readonly (keyof typeof processor.shape)[];

/** The process, as far as the command touches it. */
export type CheckpointsProcess = {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly envFile: string | null;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** For ages. */
  readonly nowMs: number;
};

/** One command under way. */
type Run = {
  readonly store: BrowsableStore;
  readonly options: CheckpointsOptions;
  readonly settings: Settings;
  readonly url: string;
  readonly host: CheckpointsProcess;
};

/**
 * Runs one command.
 * @returns 0; 1 when something is broken or not there; 64 for mistakes in arguments or environment, else the failure's own
 */
export async function runCheckpoints(host: CheckpointsProcess): Promise<number> {
  try {
    const options = checkpointsOptions(host.argv);
    if (options === "help") {
      host.stdout(usage);
      return 0;
    }
    const config = readEnvironment(environment, { env: host.env, file: host.envFile });
    const { CHECKPOINT_URL: place, STORAGE_EMULATOR_HOST: endpoint } = config;
    const store = await readCheckpointStore(place, endpoint);
    const given = settingNames.flatMap((name) => {
      const value = host.env[name];
      return value === undefined ? [] : [[name, value] as const];
    });
    const settings = Object.fromEntries(given);
    return await commands[options.command]({
      store,
      options,
      settings,
      url: checkpointUrl(place),
      host,
    });
  } catch (error) {
    const problems =
      error instanceof ConfigError
        ? error.problems
        : [error instanceof Error ? error.message : String(error)];
    host.stderr(`adstream checkpoints: ${problems.join("\n  ")}\n`);
    const code: unknown = error instanceof Error ? Reflect.get(error, "exitCode") : undefined;
    return typeof code === "number" ? code : 70;
  }
}

const commands = { list, show, verify } as const;

function say({ host, options }: Run, lines: readonly string[], json: unknown): void {
  host.stdout(options.json ? `${JSON.stringify(json, null, 2)}\n` : `${lines.join("\n")}\n`);
}

async function list(run: Run): Promise<number> {
  const { store, options, host, url } = run;
  const tasks = await storedTasks(store, options);
  const lines: string[] = [];
  const rows: object[] = [];
  for (const task of tasks) {
    const own: ReturnType<typeof rowOf>[] = [];
    for await (const object of storedObjects(store, task, options.seq)) own.push(rowOf(object));
    rows.push(...own);
    lines.push(...listLines(task, own, host.nowMs));
  }
  say(run, tasks.length === 0 ? [`${url} holds no checkpoints`] : lines, rows);
  return 0;
}

async function show(run: Run): Promise<number> {
  const { store, options, url, host } = run;
  const tasks = await storedTasks(store, options);
  const [task, ...others] = tasks;
  if (others.length > 0) {
    const names = tasks.map(({ job, partition }) => `--job ${job} --partition ${partition}`);
    throw new ConfigError([`show: which one of ${names.join(", ")}`]);
  }
  const found = task && (await objectToShow(run, storedObjects(store, task, options.seq)));
  if (found === undefined) {
    host.stderr(`adstream checkpoints: ${url} holds no such checkpoint\n`);
    return 1;
  }
  const state = await stateOf(found, run);
  say(run, showLines(found, state), showJson(found, state));
  return frameOf(found) === undefined || (state !== undefined && "problem" in state) ? 1 : 0;
}

/** The one that was asked for, else the newest checkpoint that can be read. */
async function objectToShow(
  { options }: Run,
  objects: AsyncIterable<StoredObject>,
): Promise<StoredObject | undefined> {
  for await (const object of objects) {
    if (options.seq !== undefined || frameOf(object)?.header.kind === "checkpoint") return object;
  }
  return undefined;
}

/** undefined for what holds no state. */
async function stateOf(
  object: StoredObject,
  { settings, store }: Run,
): Promise<StateSummary | { readonly problem: string } | undefined> {
  const frame = frameOf(object);
  if (frame?.header.kind !== "checkpoint") return undefined;
  const { header, payload } = frame;
  try {
    const bases = await new StoredFrames(store, object.task.folder).basesOf(header);
    if (typeof bases === "string") {
      return { problem: `it rests on number ${header.delta?.seq}, and not all of that is sound` };
    }
    return summarize(await restoreState({ header, payload, bases }, settings));
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

async function verify(run: Run): Promise<number> {
  const { store, options, url } = run;
  const findings: { job: string; partition: number; seq: number; problem: string }[] = [];
  let objects = 0;
  const tasks = await storedTasks(store, options);
  for (const task of tasks) {
    const { job, partition } = task;
    for await (const object of storedObjects(store, task, options.seq)) {
      objects++;
      const { content, seq } = object;
      const state = "problem" in content ? content : await stateOf(object, run);
      if (state !== undefined && "problem" in state) {
        findings.push({ job, partition, seq, problem: state.problem });
      }
    }
  }
  const lines = findings.map(
    ({ job, partition, seq, problem }) =>
      `${job} partition ${partition}, number ${seq}: ${problem}`,
  );
  const sum = `${url}: ${objects} objects of ${tasks.length} tasks, ${findings.length} broken`;
  say(run, [...lines, sum], { url, objects, tasks: tasks.length, findings });
  return findings.length === 0 ? 0 : 1;
}
