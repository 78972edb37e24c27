import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { relative } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { startCommand } from "@adstream/devstack/start-command";

export type MeasuredOptions = {
  /** File of the program. */
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Arguments for Node itself, like --cpu-prof. */
  readonly nodeArguments?: readonly string[];
  /** A command that becomes what it is given, like `nice` or `systemd-run --scope`: signals and figures are those of its process. */
  readonly under?: readonly string[] | undefined;
  readonly onMessage: (message: unknown) => void;
  /** A line on standard output. */
  readonly onLine?: (line: string) => void;
};

/** What a process used from exec to exit. */
export type Usage = { readonly cpuMs: number; readonly peakRssMiB: number };

export type MeasuredProcess = {
  /** User and system time so far, by the kernel's 10 ms clock; 0 where there is no /proc. */
  cpuSoFarMs(): number;
  /** Sends SIGTERM, once: a second one would cut its end short. */
  stop(): void;
  /** @throws {Error} when it ended with another code than 0, with its last words */
  readonly usage: Promise<Usage>;
};

const kernelTickMs = 10;
const root = fileURLToPath(new URL("../../../", import.meta.url));
const preload = import.meta.resolve("./usage-at-exit.ts");

/** Starts a service as its script starts it, another program as that of the processor, and reports what it used. */
export function startMeasured(options: MeasuredOptions): MeasuredProcess {
  const { program, environment, nodeArguments = [], under = [], onMessage, onLine } = options;
  const { variables = {}, flags = [] } =
    startCommand(relative(root, program)) ?? startCommand("packages/processor/src/main.ts") ?? {};
  const own = [process.execPath, ...flags, ...nodeArguments, "--import", preload, program];
  const [command = process.execPath, ...args] = [...under, ...own];
  const child = spawn(command, args, {
    cwd: root,
    env: { ...variables, ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe", "ipc", "pipe"],
  });
  const ended = Promise.withResolvers<number | null>();
  child.once("close", (code) => ended.resolve(code));
  child.once("error", ended.reject);
  child.on("message", onMessage);
  if (child.stdout !== null && onLine !== undefined) {
    createInterface({ input: child.stdout }).on("line", onLine);
  }
  const lastWords = child.stderr === null ? "" : text(child.stderr);
  const pipe = child.stdio[4];
  const reported = pipe instanceof Readable ? text(pipe) : "{}";
  return {
    cpuSoFarMs: () => cpuSoFarMs(child.pid),
    stop: () => void (child.killed || child.kill("SIGTERM")),
    usage: (async () => {
      const code = await ended.promise;
      if (code !== 0) throw new Error(`${program} ended with ${code}: ${await lastWords}`);
      const { cpuMs, peakRssKiB } = { cpuMs: 0, peakRssKiB: 0, ...JSON.parse(await reported) };
      return { cpuMs: Number(cpuMs), peakRssMiB: Number(peakRssKiB) / 1024 };
    })(),
  };
}

/** Fields 14 and 15 of /proc/<pid>/stat, counted behind the name, which may hold anything. */
function cpuSoFarMs(pid: number | undefined): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) * kernelTickMs;
  } catch {
    return 0;
  }
}
