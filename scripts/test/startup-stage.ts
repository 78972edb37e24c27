import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openServers } from "../dev/servers.ts";
import { createTestTopics, type TestNames } from "./test-topics.ts";

export const services = ["producer", "processor", "sink"] as const;
export type Service = (typeof services)[number];

/** In every password; it must not come out anywhere. */
export const canary = "c4n4ry-p4ssw0rd";

/** Servers and topics of a test file, and what it has to clean up. */
export type Stage = {
  readonly resources: AsyncDisposableStack;
  /** Without `.env`. */
  readonly directory: string;
  readonly names: TestNames;
  readonly environment: Readonly<Record<string, string>>;
};

export async function openStage(): Promise<Stage> {
  await using opening = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "adstream-startup-"));
  opening.defer(() => rm(directory, { recursive: true, force: true }));
  const child = { logDirectory: directory, say: () => {}, onGiveUp: () => {} };
  const servers = opening.use(await openServers("embedded", child));
  const names = await createTestTopics({ ...process.env, ...servers.environment });
  const environment = { ...servers.environment, ...names };
  return { resources: opening.move(), directory, names, environment };
}

export type Started = {
  readonly child: ChildProcess;
  /** Everything it wrote so far, to either stream. */
  readonly said: () => string;
  readonly stderr: () => string;
  readonly warnings: () => string[];
  readonly code: Promise<unknown>;
  readonly over: () => boolean;
};

/** A service as a process of its own, in a directory without `.env`. */
export function startService(
  { directory, resources }: Pick<Stage, "directory" | "resources">,
  service: Service,
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Started {
  const program = join(import.meta.dirname, `../../packages/${service}/src/main.ts`);
  const child = fork(program, args, {
    cwd: directory,
    env: { PATH: process.env["PATH"], CHECKPOINT_URL: `file:${directory}/checkpoints`, ...env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    execArgv: [],
  });
  resources.defer(() => void child.kill("SIGKILL"));
  let [out, err, over] = ["", "", false];
  child.stdout?.on("data", (chunk) => (out += String(chunk)));
  child.stderr?.on("data", (chunk) => (err += String(chunk)));
  const code = once(child, "close").then(([exitCode]) => {
    over = true;
    return exitCode;
  });
  return {
    child,
    code,
    said: () => out + err,
    stderr: () => err,
    warnings: () => out.split("\n").filter((line) => line.includes('"level":40')),
    over: () => over,
  };
}

/** @throws {Error} with all it said, when it ended or nothing came */
export async function until(
  what: string,
  { said, over }: Started,
  holds: () => boolean,
): Promise<void> {
  const endMs = performance.now() + 45_000;
  while (!holds()) {
    if (over() || performance.now() > endMs) {
      throw new Error(`waited in vain for ${what}:\n${said()}`);
    }
    await sleep(25);
  }
}
