import { pino } from "pino";
import { scrubber } from "./secret.ts";
import type { DestinationStream, Level, Logger } from "pino";
import type { Secret } from "./secret.ts";

/** What services log to. */
export type Log = Logger;

export type LogLevel = Level | "silent";

export type LogOptions = {
  readonly name: string;
  readonly level: LogLevel;
  /** Taken out of every line, wherever they turn up. */
  readonly secrets?: Iterable<Secret>;
  /** Standard output when left out. */
  readonly destination?: DestinationStream;
};

/**
 * JSON lines. Errors go in as `{ err: error }` and come out with code, disposition, message and causes, from a list of
 * allowed fields: errors of libraries carry whole requests, and with them credentials. Named secrets and credentials in
 * URLs are taken out of the finished line.
 */
export function openLog({ name, level, secrets = [], destination }: LogOptions): Logger {
  const scrub = scrubber(secrets);
  const stacks = level === "debug" || level === "trace" ? "always" : "unexpected";
  return pino(
    {
      level,
      base: { service: name },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: (error: unknown) => errorFields(error, stacks) },
      redact: { paths: secretPaths, censor: "[redacted]" },
      hooks: { streamWrite: scrub },
    },
    // Written at once: the last line before an exit is the one that matters.
    destination ?? pino.destination({ fd: 1, sync: true }),
  );
}

const secretPaths = ["password", "token", "secret", "sasl", "authorization", "headers"].flatMap(
  (field) => [field, `*.${field}`],
);

type Stacks = "always" | "unexpected" | "never";

const maxCauses = 5;

/** What a log line may hold of an error; `stacks` "unexpected" keeps them for errors nobody foresaw. */
export function errorFields(error: unknown, stacks: Stacks, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  const fields: Record<string, unknown> = { type: error.name, message: error.message };
  for (const name of ["code", "disposition", "syscall", "address", "port"]) {
    const value: unknown = Reflect.get(error, name);
    if (typeof value === "string" || typeof value === "number") fields[name] = value;
  }
  const shown = stacks === "always" || (stacks === "unexpected" && unforeseen(error));
  if (shown) fields["stack"] = error.stack;
  if (depth >= maxCauses) return fields;
  // Whoever foresaw an error foresaw its causes, whatever library they are of.
  const inner = stacks === "always" ? "always" : shown ? "unexpected" : "never";
  if (error.cause !== undefined) fields["cause"] = errorFields(error.cause, inner, depth + 1);
  if (error instanceof AggregateError) {
    const first = error.errors.slice(0, maxCauses);
    fields["errors"] = first.map((one) => errorFields(one, inner, depth + 1));
  }
  return fields;
}

/** An error without a disposition was not thought of, unless it is the system's or a library's, with a code. */
function unforeseen(error: Error): boolean {
  if ("code" in error && error.code === "INTERNAL") return true;
  return !("disposition" in error) && !("code" in error);
}
