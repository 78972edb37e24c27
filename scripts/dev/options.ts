import { parseArgs } from "node:util";
import { type JobName, jobNames } from "@adstream/contracts/jobs";
import { parseDuration } from "@adstream/service/durations";

/** What `pnpm dev` is told. */
export type DevOptions = {
  /** undefined: until Ctrl-C. */
  readonly durationMs: number | undefined;
  /** undefined: that of the environment, or ad-stats. */
  readonly job: JobName | undefined;
  readonly processors: number;
  /** Handed on to the producer, which checks them. */
  readonly traffic: readonly string[];
  readonly servers: "any" | "embedded" | "docker";
};

export const usage = `pnpm dev [--duration 90s] [--rate 500] [--ads 50] [--seed 1] [--job ${jobNames.join("|")}]
         [--processors 1] [--embedded | --docker]

  --duration    end by itself: drain, recount the raw topic, compare with MongoDB
  --job         whose events are made, counted, stored and checked; ad-stats. EVENTS_FORMAT=avro in the environment
                has those of campaign-counts in Avro instead of JSON
  --processors  processes that share the partitions
  --embedded    the servers of package devstack, whatever else there is
  --docker      the servers of docker-compose.yml, or none
  --rate, --model, --seed, and for ad-stats --ads, --repeat-ratio, --out-of-order-ratio, --late-ratio, --bad-ratio, …
                the traffic, see pnpm producer --help
`;

const own = {
  duration: { type: "string" },
  job: { type: "string" },
  processors: { type: "string" },
  embedded: { type: "boolean" },
  docker: { type: "boolean" },
  help: { type: "boolean" },
  // For scripts that already say so: a dashboard is not part of the pipeline so far.
  "no-dashboard": { type: "boolean" },
} as const;

const traffic = [
  "rate",
  "model",
  "ads",
  "seed",
  "repeat-ratio",
  "redeliver-ratio",
  "out-of-order-ratio",
  "max-disorder",
  "late-ratio",
  "late-by",
  "bad-ratio",
] as const;

/** @returns what to do, "help", or every mistake at once */
export function devOptions(argv: readonly string[]): DevOptions | "help" | readonly string[] {
  const args = argv[0] === "--" ? argv.slice(1) : [...argv];
  const handedOn = Object.fromEntries(traffic.map((name) => [name, { type: "string" as const }]));
  const options: Record<string, { type: "string" | "boolean" }> = { ...own, ...handedOn };
  const { values, tokens } = parseArgs({ args, options, strict: false, tokens: true });
  if (values["help"] === true) return "help";
  const problems = tokens.flatMap((token) => {
    if (token.kind === "positional") return [`${token.value}: there is no such argument`];
    if (token.kind !== "option") return [];
    if (!Object.hasOwn(options, token.name)) return [`${token.rawName}: there is no such flag`];
    const takesValue = options[token.name]?.type === "string";
    return takesValue && token.value === undefined ? [`${token.rawName}: needs a value`] : [];
  });
  const text = (name: string): string | undefined => {
    const value: unknown = values[name];
    return typeof value === "string" ? value : undefined;
  };
  const duration = text("duration");
  const durationMs = duration === undefined ? undefined : parseDuration(duration);
  if (duration !== undefined && (durationMs === undefined || durationMs === 0)) {
    problems.push(`--duration is ${duration}: must be a duration like 90s or 5m`);
  }
  const job = jobNames.find((name) => name === text("job"));
  if (job === undefined && text("job") !== undefined) {
    problems.push(`--job is ${text("job")}: must be one of ${jobNames.join(", ")}`);
  }
  const processors = Number(text("processors") ?? "1");
  if (!Number.isInteger(processors) || processors < 1 || processors > 16) {
    problems.push(`--processors is ${text("processors")}: must be a whole number from 1 to 16`);
  }
  const [embedded, docker] = [values["embedded"], values["docker"]];
  if (embedded === true && docker === true)
    problems.push("--embedded and --docker exclude each other");
  if (problems.length > 0) return problems;
  return {
    durationMs,
    job,
    processors,
    traffic: traffic.flatMap((name) => {
      const value = text(name);
      return value === undefined ? [] : [`--${name}=${value}`];
    }),
    servers: embedded === true ? "embedded" : docker === true ? "docker" : "any",
  };
}
