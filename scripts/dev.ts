import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseEnv, promisify } from "node:util";
import { checkDocuments, checkLines, passed } from "./dev/check.ts";
import { type DevOptions, devOptions, usage } from "./dev/options.ts";
import { type Pipeline, startPipeline } from "./dev/pipeline.ts";
import { openServers, type Servers } from "./dev/servers.ts";
import { statusLine } from "./dev/status.ts";
import { openTerminal, type Terminal } from "./dev/terminal.ts";

const exitCodes = { clean: 0, failed: 1, config: 64 } as const;
const dataDirectory = ".data";
const logDirectory = join(dataDirectory, "logs");

process.chdir(join(import.meta.dirname, ".."));
process.exitCode = await main(process.argv.slice(2));

/** Runs everything until Ctrl-C, the end of `--duration`, or a child that a restart does not mend. @returns the exit code */
async function main(argv: readonly string[]): Promise<number> {
  const options = devOptions(argv);
  if (options === "help") return write(process.stdout, usage, exitCodes.clean);
  if (!("servers" in options)) {
    const list = options.map((problem) => `\n  ${problem}`).join("");
    return write(
      process.stderr,
      `adstream dev: the command line is wrong${list}\n`,
      exitCodes.config,
    );
  }
  const terminal = openTerminal(process.stdout);
  const { promise: givenUp, resolve: giveUp } = Promise.withResolvers<number>();
  const onGiveUp = (code: number, lastWords: string): void => {
    terminal.say(lastWords === "" ? `a service ended with code ${code}` : lastWords);
    giveUp(code);
  };
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => interrupted.abort());
  }
  mkdirSync(logDirectory, { recursive: true });
  const child = { logDirectory, say: (line: string) => terminal.say(line), onGiveUp };
  try {
    await using servers = await openServers(options.servers, child);
    return await withServers({
      options,
      terminal,
      servers,
      child,
      givenUp,
      signal: interrupted.signal,
    });
  } catch (error) {
    terminal.end();
    const text = `adstream dev: ${error instanceof Error ? error.message : String(error)}\n`;
    return write(process.stderr, text, exitCodes.failed);
  }
}

type Run = {
  readonly options: DevOptions;
  readonly terminal: Terminal;
  readonly servers: Servers;
  readonly child: {
    logDirectory: string;
    say: (line: string) => void;
    onGiveUp: (code: number, words: string) => void;
  };
  /** Resolves with the code of a child that a restart does not mend. */
  readonly givenUp: Promise<number>;
  readonly signal: AbortSignal;
};

async function withServers(run: Run): Promise<number> {
  const { options, terminal, servers, child, givenUp, signal } = run;
  terminal.say(`servers: ${servers.description}`);
  for (const name of ["KAFKA_BROKERS", "SCHEMA_REGISTRY_URL", "MONGODB_URL"]) {
    const value = servers.environment[name];
    if (value !== undefined) terminal.say(`  ${name}=${value}`);
  }
  await using checkpoints = await checkpointDirectory(servers.transient);
  // Several services on one machine cannot share a port that `.env` may name.
  const { job, processors, traffic, durationMs } = options;
  const environment = {
    ...servers.environment,
    ...checkpoints.environment,
    ...(job !== undefined && { JOB: job }),
    HTTP_PORT: "0",
  };
  await createTopics(environment);
  const pipeline = startPipeline({ ...child, environment, processors, traffic });
  const live = showEachSecond(terminal, pipeline);
  const over = new AbortController();
  const ended = [
    givenUp,
    once(signal, "abort", { signal: over.signal }).then(() => "interrupted" as const),
    ...(durationMs === undefined
      ? []
      : [sleep(durationMs, "duration" as const, { signal: over.signal })]),
  ];
  const why = signal.aborted ? "interrupted" : await Promise.race(ended);
  over.abort();
  for (const one of ended) one.catch(() => {});
  if (why !== "duration") {
    clearInterval(live);
    terminal.end();
    if (why === "interrupted") terminal.say("stopping");
    await pipeline.stop();
    return typeof why === "number" ? why : exitCodes.clean;
  }
  const unclean = await Promise.race([pipeline.drain(), givenUp]);
  clearInterval(live);
  terminal.end();
  if (typeof unclean === "number") {
    await pipeline.stop();
    return unclean;
  }
  return summary(terminal, unclean, { ...dotEnv(), ...process.env, ...environment });
}

async function summary(
  terminal: Terminal,
  unclean: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  for (const line of unclean) terminal.say(line);
  const check = await checkDocuments(env);
  for (const line of checkLines(check)) terminal.say(line);
  return passed(check) && unclean.length === 0 ? exitCodes.clean : exitCodes.failed;
}

/** Shows the status each second, and once what is new: addresses, and the first documents. */
function showEachSecond(terminal: Terminal, pipeline: Pipeline): NodeJS.Timeout {
  const startedAt = performance.now();
  const announced = new Set<string>();
  const once = (text: string, line = text): void => {
    if (!announced.has(text)) terminal.say(line);
    announced.add(text);
  };
  return setInterval(() => {
    const nowMs = performance.now();
    const status = pipeline.figures.status(nowMs);
    for (const [name, url] of pipeline.urls) once(`${name}: ${url}/metrics`);
    if (status.documentsWritten > 0) {
      once(
        "documents",
        `first windows in MongoDB after ${((nowMs - startedAt) / 1_000).toFixed(1)} s`,
      );
    }
    terminal.live(statusLine(nowMs - startedAt, status));
  }, 1_000);
}

/** Checkpoints must not outlive servers that forget: the next log is another one. */
async function checkpointDirectory(
  transient: boolean,
): Promise<AsyncDisposable & { readonly environment: Readonly<Record<string, string>> }> {
  if (!transient) return { environment: {}, [Symbol.asyncDispose]: async () => {} };
  const directory = await mkdtemp(join(dataDirectory, "dev-"));
  return {
    environment: { CHECKPOINT_URL: `file:${directory}` },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

async function createTopics(environment: Readonly<Record<string, string>>): Promise<void> {
  const env = { ...process.env, ...environment };
  try {
    await promisify(execFile)(process.execPath, ["scripts/topics.ts", "create"], { env });
  } catch (error) {
    const printed: unknown = error instanceof Error ? Reflect.get(error, "stderr") : undefined;
    throw new Error(`the topics could not be created: ${String(printed ?? error).trim()}`, {
      cause: error,
    });
  }
}

function dotEnv(): NodeJS.Dict<string> {
  return existsSync(".env") ? parseEnv(readFileSync(".env", "utf8")) : {};
}

function write(stream: NodeJS.WriteStream, text: string, code: number): number {
  stream.write(text);
  return code;
}
