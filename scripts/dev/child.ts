import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, mkdirSync, type WriteStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { startCommand } from "@adstream/devstack/start-command";

export type ChildOptions = {
  /** For people; also names the log file. */
  readonly name: string;
  /** Path of the program below the root of the project. */
  readonly program: string;
  readonly args?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly logDirectory: string;
  /** One line for people. */
  readonly say: (line: string) => void;
  /** What the child says of itself. */
  readonly onMessage: (message: Readonly<Record<string, unknown>>) => void;
  /** It ended, for whatever reason. */
  readonly onEnd?: () => void;
  /** It ended with a code that a restart does not mend. */
  readonly onGiveUp: (code: number, lastWords: string) => void;
};

export type Child = {
  readonly name: string;
  readonly pid: number | undefined;
  /** Sends SIGTERM and waits; after 30 s SIGKILL. @returns the exit code, null when it was killed */
  stop(): Promise<number | null>;
  /** Resolves when it ended by itself with code 0. */
  readonly done: Promise<void>;
};

/** Codes after which starting again makes no sense. */
const finalCodes: ReadonlySet<number> = new Set([1, 64, 65, 78]);
const restartFromMs = 1_000;
const restartToMs = 30_000;
/** A child that ran this long is healthy: the next failure starts the backoff anew. */
const healthyMs = 60_000;
const killAfterMs = 30_000;
const warnLevel = 40;
/** Of the servers, which have no script: a young generation of 4 MiB instead of up to 64. */
const serverFlags = ["--max-semi-space-size=4"];

/**
 * Runs a program as a child process in a session of its own, so that Ctrl-C reaches only this process, which stops its
 * children in the order of the data flow. The child ends when this process dies: its message channel closes.
 */
export function startChild(options: ChildOptions): Child {
  const { name, say } = options;
  const { promise: done, resolve: finished } = Promise.withResolvers<void>();
  mkdirSync(options.logDirectory, { recursive: true });
  const logFile = createWriteStream(join(options.logDirectory, `${name}.log`), { flags: "a" });
  let running: Running | undefined;
  let stopping = false;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;

  const start = async (): Promise<void> => {
    const startedAt = performance.now();
    running = launch(options, logFile);
    const { code, signal, lastWords } = await running.ended;
    running = undefined;
    options.onEnd?.();
    if (stopping) return;
    if (code === 0) return finished();
    if (code !== null && finalCodes.has(code)) return options.onGiveUp(code, lastWords);
    failures = performance.now() - startedAt > healthyMs ? 0 : failures + 1;
    const delayMs = Math.min(restartToMs, restartFromMs * 2 ** Math.max(0, failures - 1));
    const why = code === null ? `was ended by ${signal}` : `ended with code ${code}`;
    const words = lastWords === "" ? "" : `: ${lastWords}`;
    say(`${name} ${why}, starting it again in ${delayMs / 1_000} s${words}`);
    timer = setTimeout(() => void start(), delayMs);
  };
  void start();
  return {
    name,
    done,
    get pid() {
      return running?.process.pid;
    },
    async stop() {
      stopping = true;
      clearTimeout(timer);
      const code = running === undefined ? 0 : await terminate(running, say, name);
      logFile.end();
      return code;
    },
  };
}

type Ended = {
  readonly code: number | null;
  readonly signal: string | null;
  readonly lastWords: string;
};
type Running = { readonly process: ChildProcess; readonly ended: Promise<Ended> };

function launch(options: ChildOptions, logFile: WriteStream): Running {
  const { name, program, args = [], environment, say, onMessage } = options;
  const { variables = {}, flags = serverFlags } = startCommand(program) ?? {};
  const compileCache = { NODE_COMPILE_CACHE: ".data/compile-cache" };
  const child = spawn(process.execPath, [...flags, program, ...args], {
    env: { ...compileCache, ...variables, ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    detached: true,
  });
  let lastWords = "";
  const { promise: ended, resolve } = Promise.withResolvers<Ended>();
  child.on("message", (message) => {
    if (typeof message === "object" && message !== null) onMessage({ ...message });
  });
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on("line", (line) => {
      logFile.write(`${line}\n`);
      const warning = warningOf(line);
      if (warning !== undefined) say(`${name}: ${warning}`);
    });
  }
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on("line", (line) => {
      logFile.write(`${line}\n`);
      if (line.trim() !== "")
        lastWords = lastWords === "" ? line : `${lastWords}\n${line}`.slice(-2_000);
    });
  }
  child.once("error", (error) => resolve({ code: 1, signal: null, lastWords: error.message }));
  child.once("close", (code, signal) => resolve({ code, signal, lastWords }));
  return { process: child, ended };
}

async function terminate(
  { process: child, ended }: Running,
  say: (line: string) => void,
  name: string,
): Promise<number | null> {
  child.kill("SIGTERM");
  const timer = setTimeout(() => {
    say(`${name} did not stop within ${killAfterMs / 1_000} s and was killed`);
    child.kill("SIGKILL");
  }, killAfterMs);
  const { code } = await ended;
  clearTimeout(timer);
  return code;
}

/** The text of a log line that somebody should see. */
function warningOf(line: string): string | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const entry: unknown = JSON.parse(line);
    if (typeof entry !== "object" || entry === null) return undefined;
    const { level, msg, err, reason } = {
      level: 0,
      msg: "",
      err: undefined,
      reason: undefined,
      ...entry,
    };
    if (typeof level !== "number" || level < warnLevel) return undefined;
    const cause: unknown =
      typeof err === "object" && err !== null ? Reflect.get(err, "message") : reason;
    return typeof cause === "string" ? `${msg}: ${cause}` : msg;
  } catch {
    return undefined;
  }
}
