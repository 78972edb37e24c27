import { Registry } from "prom-client";
import { openAdminServer } from "./admin-server.ts";
import { ConfigError } from "./config-error.ts";
import { likelyTypos, readEnvironment } from "./environment.ts";
import { flagHelp, readFlags } from "./flags.ts";
import { hostProcess } from "./host-process.ts";
import { openLog } from "./log.ts";
import { processMetrics } from "./process-metrics.ts";
import { scrubber, Secret } from "./secret.ts";
import type { Logger } from "pino";
import type { z } from "zod";
import type { DefaultTexts, httpEnvironment, logEnvironment } from "./environment.ts";
import type { Flags, FlagTable } from "./flags.ts";
import type { Ending, HostProcess } from "./host-process.ts";

/** What every service's schema holds. */
export type ServiceShape = z.ZodObject<typeof httpEnvironment & typeof logEnvironment>;

export type ServiceContext<Config> = {
  readonly config: Readonly<Config>;
  readonly log: Logger;
  /** Served under `/metrics`. */
  readonly metrics: Registry;
  /** Aborted by SIGTERM, SIGINT, or when the parent is gone: stop reading, flush, save, return. */
  readonly signal: AbortSignal;
  /** From now on `/readyz` says yes, until the signal. */
  readonly ready: () => void;
  /** Sends figures to the parent when there is one (`pnpm dev`), else nothing. */
  readonly status: (fields: Readonly<Record<string, unknown>>) => void;
};

export type Service<Schema extends ServiceShape> = {
  /** One word: producer, processor, … */
  readonly name: string;
  readonly environment: Schema;
  readonly flags?: FlagTable;
  /** In place of the defaults of `environment`. */
  readonly defaults?: DefaultTexts;
  /** Runs until its work is done or `signal` is aborted. Returning is a clean end. */
  readonly main: (context: ServiceContext<z.output<Schema>>) => Promise<void>;
};

const exitCodes = { clean: 0, failed: 1, internal: 70 } as const;
/** Time to flush and save after the first signal; supervisors send SIGKILL after 30 s. */
const drainDeadlineMs = 25_000;
/** Signals this soon after the first one are copies of it. */
const echoMs = 500;

/**
 * Runs one service in this process and ends the process: 0 after a clean end, 1 after a second signal or 25 s of
 * draining, else the `exitCode` of the error that `main` threw, and 70 where it has none. The last line on standard
 * error says why.
 */
export async function runService<Schema extends ServiceShape>(
  service: Service<Schema>,
  host: HostProcess = hostProcess(),
): Promise<void> {
  const flags = readFlags(host.argv, service.flags ?? {});
  if (flags.help) {
    host.stdout(flagHelp(`pnpm ${service.name}`, service.flags ?? {}));
    return host.exit(exitCodes.clean);
  }
  let config: z.output<Schema>;
  try {
    config = configOf(service, flags, host);
  } catch (error) {
    host.stderr(lastWords(service.name, error, (text) => text));
    return host.exit(exitCodeOf(error));
  }
  await runConfigured(service, config, host);
}

function configOf<Schema extends ServiceShape>(
  service: Service<Schema>,
  { overrides, problems }: Flags,
  { env, envFile }: HostProcess,
): z.output<Schema> {
  const { environment, defaults } = service;
  return readEnvironment(environment, { env, file: envFile, overrides, problems, defaults });
}

async function runConfigured<Schema extends ServiceShape>(
  service: Service<Schema>,
  config: z.output<Schema>,
  host: HostProcess,
): Promise<void> {
  const { name } = service;
  const secrets = Object.values(config).filter((value) => value instanceof Secret);
  const scrub = scrubber(secrets);
  const { LOG_LEVEL: level } = config;
  const log = openLog({ name, level, secrets, ...destination(host) });
  const parent = parentOf(name, host);

  let ended = false;
  const end = (code: number, error?: unknown): void => {
    if (ended) return;
    ended = true;
    if (error !== undefined) {
      log[code === exitCodes.clean ? "info" : "fatal"](
        { err: error, exitCode: code },
        "service failed",
      );
      host.stderr(lastWords(name, error, scrub));
    }
    log.flush();
    void leave(host, parent.flushed(), code);
  };
  const signal = endingSignal(host, log, (reason) => end(exitCodes.failed, new Error(reason)));
  host.onStray((error, stray) => {
    log.error({ stray }, "failure that nobody awaited");
    end(exitCodes.internal, error);
  });
  for (const hint of likelyTypos(service.environment, { env: host.env, file: host.envFile })) {
    log.warn({ hint }, "variable ignored");
  }
  try {
    await serve(service, { config, log, signal, send: parent.send });
    log.info("service stopped");
    end(exitCodes.clean);
  } catch (error) {
    if (isAbort(error, signal)) {
      log.info("service stopped");
      end(exitCodes.clean);
    } else end(exitCodeOf(error), error);
  }
}

/** The parent's last figures are worth a moment, but a parent that does not read is not waited for. */
async function leave(host: HostProcess, flushed: Promise<void>, code: number): Promise<void> {
  const cancel = host.after(maxFarewellMs, () => host.exit(code));
  await flushed;
  cancel();
  host.exit(code);
}

type Running<Config> = Pick<ServiceContext<Config>, "config" | "log" | "signal"> & {
  readonly send: (fields: Readonly<Record<string, unknown>>) => void;
};

async function serve<Schema extends ServiceShape>(
  service: Service<Schema>,
  { config, log, signal, send }: Running<z.output<Schema>>,
): Promise<void> {
  const metrics = new Registry();
  using _processMetrics = processMetrics(metrics);
  let ready = false;
  const { HTTP_HOST: host, HTTP_PORT: port, HTTP_TOKEN: token } = config;
  await using server = await openAdminServer({
    host,
    port,
    token,
    metrics,
    ready: () => ready && !signal.aborted,
  });
  log.info({ url: server.url }, "service started");
  send({ url: server.url });
  await service.main({
    config,
    log,
    metrics,
    signal,
    ready() {
      if (!ready) send({ ready: true });
      ready = true;
    },
    status: send,
  });
}

/** Aborted at the first ending; a second one, or the deadline after the first, calls `cutShort`. */
function endingSignal(
  host: HostProcess,
  log: Logger,
  cutShort: (reason: string) => void,
): AbortSignal {
  const controller = new AbortController();
  let echoesOver = false;
  host.onEnding((ending: Ending) => {
    if (controller.signal.aborted) {
      // A parent that dies while we drain is no second request, and neither are the copies of one Ctrl-C that the
      // terminal, pnpm and npx each pass on.
      if (ending !== "disconnect" && echoesOver)
        cutShort(`stopped by a second ${ending} before all was saved`);
      return;
    }
    log.info({ reason: ending }, "service stopping");
    host.after(drainDeadlineMs, () =>
      cutShort(`stopping took longer than ${drainDeadlineMs / 1_000} s and was cut short`),
    );
    host.after(echoMs, () => (echoesOver = true));
    controller.abort();
  });
  return controller.signal;
}

const maxFarewellMs = 500;

function parentOf(
  name: string,
  host: HostProcess,
): { send: Running<unknown>["send"]; flushed: () => Promise<void> } {
  let last = Promise.resolve();
  return {
    send(fields) {
      if (host.send !== undefined) last = host.send({ service: name, ...fields });
    },
    flushed: () => last,
  };
}

function destination({
  logDestination,
}: HostProcess): Pick<Parameters<typeof openLog>[0], "destination"> {
  return logDestination === undefined ? {} : { destination: logDestination };
}

function isAbort(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  return error === signal.reason || (error instanceof Error && error.name === "AbortError");
}

/** By structure, so that errors of any package can say what a process should end with. */
function exitCodeOf(error: unknown): number {
  const code: unknown = error instanceof Error ? Reflect.get(error, "exitCode") : undefined;
  return typeof code === "number" && Number.isInteger(code) && code >= 0 && code <= 255
    ? code
    : exitCodes.internal;
}

/** One line, or for configuration one more per mistake. */
function lastWords(name: string, error: unknown, scrub: (text: string) => string): string {
  const lines = error instanceof ConfigError ? configLines(error) : [messageOf(error)];
  const text = lines.map((line) => line.replace(/\s*[\r\n]+\s*/g, " ")).join("\n  ");
  return `adstream ${name}: ${scrub(text)}\n`;
}

function configLines({ problems }: ConfigError): string[] {
  return [
    problems.length === 1 ? "1 setting is wrong" : `${problems.length} settings are wrong`,
    ...problems,
  ];
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return `unexpected ${String(error)}`;
  const foreseen = Reflect.has(error, "exitCode") || error.name === "Error";
  return foreseen ? error.message : `unexpected ${error.name}: ${error.message}`;
}
