import { parseArgs } from "node:util";
import type { BrokerOptions } from "./broker.ts";
import type { ServiceName } from "./service-process.ts";

/** What `pnpm chaos` was asked for. */
export type ChaosOptions = {
  readonly seed: number;
  readonly sizes: Readonly<Record<ServiceName, number>>;
  /** Records per second, of all producers together. */
  readonly rate: number;
  readonly ads: number;
  /** Share of records that nobody can process; the breaker of the processors is at 1 %. */
  readonly badRatio: number;
  readonly partitions: number;
  /** Faults to inject; with a duration, as many as fit. */
  readonly kills: number;
  readonly durationMs: number | undefined;
  /** Between two faults. */
  readonly interval: { readonly minMs: number; readonly maxMs: number };
  /** Share of faults that are SIGSTOP, and SIGCONT up to 20 s later. */
  readonly stopRatio: number;
  /** The first process of each kind is left alone, and all are measured. */
  readonly soak: boolean;
  readonly sessionTimeout: string;
  readonly broker: BrokerOptions | undefined;
  readonly json: boolean;
};

export const help = `pnpm chaos: kills processes of a running pipeline at random, then counts everything again

  --kills N             faults to inject; 40
  --seed S              same seed, same faults; taken at random and printed when absent
  --producers N --processors N --sinks N    3, 3 and 2
  --rate R              records per second, all producers together; 1500
  --ads N               different ads; 100
  --bad-ratio SHARE     of records that nobody can process, below 0.01; 0.004
  --partitions N        of each topic; 4
  --interval A-B        seconds between two faults, like 0.5-5
  --stop-ratio SHARE    of the faults are SIGSTOP with SIGCONT up to 20 s later; 0.2
  --session-timeout D   KAFKA_SESSION_TIMEOUT; 6s, the least that Kafka takes
  --broker              kills the broker as well, one fault in 20: needs CHAOS_BROKER_PID_FILE, CHAOS_BROKER_START
  --soak                measures memory, and never kills the first process of each kind
  --duration D          instead of --kills, like 30m; 30m with --soak
  --kill-every D        instead of --interval, like 60s; 60s with --soak
  --json                the report as JSON on standard output

Servers: KAFKA_BROKERS, SCHEMA_REGISTRY_URL and MONGODB_URL, else the embedded ones.
Exit: 0 when everything holds; 1 when not, and then the data is kept; 64 for wrong options.`;

/** A mistake in the command line. */
export class UsageError extends Error {}

/**
 * @returns undefined when help is wanted
 * @throws {UsageError} naming the flag
 */
export function readOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ChaosOptions | undefined {
  const { values } = parse(args);
  if (values.help === true) return undefined;
  const soak = values.soak === true;
  const every = values["kill-every"] ?? (soak ? "60s" : undefined);
  const lasting = values.duration ?? (soak ? "30m" : undefined);
  const everyMs = every === undefined ? undefined : duration("--kill-every", every);
  return {
    seed: whole("--seed", values.seed ?? String(Math.floor(Math.random() * 1e6)), 0),
    sizes: {
      producer: whole("--producers", values.producers ?? "3", 1),
      processor: whole("--processors", values.processors ?? "3", 1),
      sink: whole("--sinks", values.sinks ?? "2", 1),
    },
    rate: whole("--rate", values.rate ?? (soak ? "5000" : "1500"), 1),
    ads: whole("--ads", values.ads ?? "100", 1),
    badRatio: share("--bad-ratio", values["bad-ratio"] ?? "0.004"),
    partitions: whole("--partitions", values.partitions ?? "4", 1),
    kills: whole("--kills", values.kills ?? "40", 0),
    durationMs: lasting === undefined ? undefined : duration("--duration", lasting),
    interval:
      everyMs === undefined
        ? interval(values.interval ?? "0.5-5")
        : { minMs: everyMs, maxMs: everyMs },
    stopRatio: share("--stop-ratio", values["stop-ratio"] ?? "0.2"),
    soak,
    sessionTimeout: values["session-timeout"] ?? "6s",
    broker: values.broker === true ? brokerOf(env) : undefined,
    json: values.json === true,
  };
}

function parse(args: readonly string[]): ReturnType<typeof parseChaosArgs> {
  try {
    return parseChaosArgs(args);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

// The return type is what parseArgs infers from the table below.
// oxlint-disable-next-line typescript/explicit-function-return-type
function parseChaosArgs(args: readonly string[]) {
  const string = { type: "string" } as const;
  const boolean = { type: "boolean" } as const;
  return parseArgs({
    args: [...args],
    options: {
      kills: string,
      seed: string,
      producers: string,
      processors: string,
      sinks: string,
      rate: string,
      ads: string,
      "bad-ratio": string,
      partitions: string,
      interval: string,
      "stop-ratio": string,
      "session-timeout": string,
      duration: string,
      "kill-every": string,
      broker: boolean,
      soak: boolean,
      json: boolean,
      help: boolean,
    },
  });
}

function whole(flag: string, text: string, min: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min) return value;
  throw new UsageError(`${flag} ${text} is not a whole number from ${min}`);
}

function share(flag: string, text: string): number {
  const value = /^\d(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (value <= 1) return value;
  throw new UsageError(`${flag} ${text} is not a share from 0 to 1`);
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

function duration(flag: string, text: string): number {
  const [, digits, unit = ""] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? [];
  const value = Number(digits) * (unitMs[unit] ?? Number.NaN);
  if (value > 0) return value;
  throw new UsageError(`${flag} ${text} is not a duration like 30m`);
}

function interval(text: string): ChaosOptions["interval"] {
  const [, min, max] = /^(\d{1,4}(?:\.\d{1,3})?)s?-(\d{1,4}(?:\.\d{1,3})?)s?$/.exec(text) ?? [];
  const [minMs, maxMs] = [Number(min) * 1_000, Number(max) * 1_000];
  if (minMs <= maxMs) return { minMs, maxMs };
  throw new UsageError(`--interval ${text} is not like 0.5-5`);
}

function brokerOf(env: Readonly<Record<string, string | undefined>>): BrokerOptions {
  const { CHAOS_BROKER_PID_FILE: pidFile = "", CHAOS_BROKER_START: startCommand = "" } = env;
  if (pidFile !== "" && startCommand !== "") return { pidFile, startCommand };
  throw new UsageError("--broker needs CHAOS_BROKER_PID_FILE and CHAOS_BROKER_START");
}
