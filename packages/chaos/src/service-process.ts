import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startCommand } from "@adstream/devstack/start-command";

export type ServiceName = "producer" | "processor" | "sink";

export type ServiceOptions = {
  readonly service: ServiceName;
  /** For people; also names the log file. The service's own name when absent. */
  readonly name?: string;
  /** Over that of this process. */
  readonly environment: Readonly<Record<string, string>>;
  /** Flags of the service, like `--rate=500`. */
  readonly args?: readonly string[];
  /** Flags of Node, like `--max-old-space-size=96`, over those of the service's script in package.json. */
  readonly nodeArguments?: readonly string[];
  /** The working directory (so that no `.env` is read by accident), and where `<name>.log` is appended to. */
  readonly directory: string;
  /** What the service says of itself: `url`, `ready`, figures each second. */
  readonly onMessage?: (message: Readonly<Record<string, unknown>>) => void;
  /** Its log, line by line. */
  readonly onLog?: (entry: Readonly<Record<string, unknown>>) => void;
};

/** How a process ended: by itself with a code, or by a signal. */
export type Exit = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of its standard error. */
  readonly stderr: string;
};

/** A service as a child process. Disposing kills it. */
export type ServiceProcess = AsyncDisposable & {
  readonly name: string;
  readonly pid: number;
  /** All it said of itself so far, the newest of each field. */
  readonly status: Readonly<Record<string, unknown>>;
  /** The last 1,000 entries of its log. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
  /** Until it ends. */
  readonly running: boolean;
  readonly exited: Promise<Exit>;
  /** Does nothing once it has ended. */
  send(signal: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL after 30 s. */
  stop(): Promise<Exit>;
  /**
   * Resolves when `holds`; looked at ten times a second.
   * @throws {Error} when the service ends before, or the time is over, with its last words
   */
  until(what: string, holds: (self: ServiceProcess) => boolean, timeoutMs?: number): Promise<void>;
};

const root = new URL("../../../", import.meta.url);
const killAfterMs = 30_000;
const maxEntries = 1_000;
const maxStderr = 8_000;
const lookEveryMs = 100;

/** Stopped processes do not notice that we are gone, so they are killed when we go. */
const alive = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});

/** Starts a service as its script in package.json does. */
export function startService(options: ServiceOptions): ServiceProcess {
  const { service, name = service, environment, args = [], nodeArguments = [] } = options;
  const program = `packages/${service}/src/main.ts`;
  const { variables = {}, flags = [] } = startCommand(program) ?? {};
  mkdirSync(options.directory, { recursive: true });
  const file = fileURLToPath(new URL(program, root));
  const child = spawn(process.execPath, [...flags, ...nodeArguments, file, ...args], {
    cwd: options.directory,
    env: {
      ...variables,
      NODE_COMPILE_CACHE: fileURLToPath(new URL(".data/compile-cache", root)),
      ...process.env,
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    detached: true,
  });
  const said = listen(child, { ...options, name });
  const exited = exitOf(child, said);
  const self: ServiceProcess = {
    name,
    pid: child.pid ?? -1,
    exited,
    get status() {
      return said.status;
    },
    get log() {
      return said.log;
    },
    get running() {
      return alive.has(child);
    },
    send: (signal) => void (alive.has(child) && child.kill(signal)),
    stop: () => stop(self),
    until: (what, holds, timeoutMs = 30_000) => until(self, { what, holds, timeoutMs }),
    async [Symbol.asyncDispose]() {
      self.send("SIGKILL");
      await exited;
    },
  };
  return self;
}

type Said = {
  status: Readonly<Record<string, unknown>>;
  readonly log: Readonly<Record<string, unknown>>[];
  stderr: string;
};

function listen(child: ChildProcess, options: ServiceOptions & { readonly name: string }): Said {
  const said: Said = { status: {}, log: [], stderr: "" };
  const file = createWriteStream(join(options.directory, `${options.name}.log`), { flags: "a" });
  child.once("close", () => file.end());
  child.on("message", (message) => {
    said.status = { ...said.status, ...Object(message) };
    options.onMessage?.({ ...Object(message) });
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    file.write(chunk);
    said.stderr = `${said.stderr}${chunk.toString()}`.slice(-maxStderr);
  });
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on("line", (line) => {
      file.write(`${line}\n`);
      const entry = entryOf(line);
      if (entry === undefined) return;
      if (said.log.push(entry) > maxEntries) said.log.shift();
      options.onLog?.(entry);
    });
  }
  return said;
}

function entryOf(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === "object" && entry !== null ? { ...entry } : undefined;
  } catch {
    return undefined;
  }
}

function exitOf(child: ChildProcess, said: Said): Promise<Exit> {
  alive.add(child);
  return new Promise((resolve, reject) => {
    child.once("error", (error) => {
      alive.delete(child);
      reject(error);
    });
    child.once("exit", () => alive.delete(child));
    // Later than "exit": all that it wrote has been read.
    child.once("close", (code, signal) => resolve({ code, signal, stderr: said.stderr }));
  });
}

async function stop(self: ServiceProcess): Promise<Exit> {
  self.send("SIGTERM");
  const timer = setTimeout(() => self.send("SIGKILL"), killAfterMs);
  try {
    return await self.exited;
  } finally {
    clearTimeout(timer);
  }
}

type Wait = {
  readonly what: string;
  readonly holds: (self: ServiceProcess) => boolean;
  readonly timeoutMs: number;
};

async function until(self: ServiceProcess, { what, holds, timeoutMs }: Wait): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!holds(self)) {
    if (!self.running && !holds(self)) {
      const { code, signal, stderr } = await self.exited;
      throw new Error(`${self.name} ended with ${code ?? signal} before ${what}: ${stderr}`);
    }
    if (performance.now() > end) {
      const status = JSON.stringify(self.status);
      throw new Error(`${self.name} was not ${what} after ${timeoutMs / 1_000} s: ${status}`);
    }
    await sleep(lookEveryMs);
  }
}
