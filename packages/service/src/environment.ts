import { z } from "zod";
import { ConfigError } from "./config-error.ts";
import { groupProblems } from "./environment-rules.ts";
import { networkProblems } from "./network-safety.ts";
import { isSecretName, readSources, shown, typoHints } from "./environment-sources.ts";
import { brokerList, existingFile, kafkaName, oneOf, secretText } from "./fields.ts";
import { serverUrl, textLike, wholeNumber } from "./fields.ts";
import type { Override, Source } from "./environment-sources.ts";

/** Connection to Kafka. The defaults reach the servers of docker-compose.yml. */
export const kafkaEnvironment = {
  KAFKA_BROKERS: brokerList.prefault("localhost:9092"),
  KAFKA_SECURITY_PROTOCOL: oneOf(["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]).default(
    "PLAINTEXT",
  ),
  KAFKA_SASL_MECHANISM: oneOf(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]).default("PLAIN"),
  KAFKA_SASL_USERNAME: z.string().optional(),
  KAFKA_SASL_PASSWORD: secretText.optional(),
  KAFKA_SSL_CA_FILE: existingFile.optional(),
} as const;

/** Connection to the schema registry; user name and password together or not at all. */
export const registryEnvironment = {
  SCHEMA_REGISTRY_URL: serverUrl("http", "https").default("http://localhost:8081"),
  SCHEMA_REGISTRY_USERNAME: z.string().optional(),
  SCHEMA_REGISTRY_PASSWORD: secretText.optional(),
} as const;

/** Where the results end up. The URL is a secret: it may hold a password. */
export const mongoEnvironment = {
  MONGODB_URL: serverUrl("mongodb", "mongodb+srv")
    .prefault("mongodb://localhost:27017/?directConnection=true")
    .pipe(secretText),
  MONGODB_DATABASE: textLike(
    /^[^\s/\\."$*<>:|?\0]{1,63}$/,
    'a database name: up to 63 characters without spaces and / \\ . " $ * < > : | ?',
  ).default("Advertisement"),
  MONGODB_COLLECTION: textLike(
    /^(?!system\.)[^\s$\0]{1,120}$/,
    "a collection name: up to 120 characters without spaces and $, not beginning with system.",
  ).default("ad_stats"),
} as const;

/** Names of the topics; they must differ. */
export const topicsEnvironment = {
  EVENTS_TOPIC: kafkaName.default("ad_topic"),
  RESULTS_TOPIC: kafkaName.default("ad_stats"),
  DEAD_LETTER_TOPIC: kafkaName.default("ad_topic.dlq"),
  LATE_TOPIC: kafkaName.default("ad_topic.late"),
  AUDIT_TOPIC: kafkaName.default("ad_topic.audit"),
} as const;

/** How the values on the events topic are written. */
export const eventsFormatEnvironment = {
  EVENTS_FORMAT: oneOf(["avro", "json"]).default("avro"),
} as const;

/** Where the sink puts results that get into no document; `.dlq` behind RESULTS_TOPIC when left out. */
export const sinkDeadLetterTopic = kafkaName.optional();

/** How topics are created; a replication factor left out is the broker's default. */
export const topicSettingsEnvironment = {
  TOPIC_PARTITIONS: wholeNumber(1, 10_000).prefault("4"),
  TOPIC_REPLICATION_FACTOR: wholeNumber(1, 100).optional(),
} as const;

/** The endpoint for health and metrics; port 0 takes any free one, other hosts than loopback need the token. */
export const httpEnvironment = {
  HTTP_HOST: textLike(/^[A-Za-z0-9.:_-]{1,253}$/, "a host name or address").default("127.0.0.1"),
  HTTP_PORT: wholeNumber(0, 65_535).prefault("0"),
  HTTP_TOKEN: secretText.optional(),
} as const;

/** Every service has it. */
export const logEnvironment = {
  LOG_LEVEL: oneOf(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
} as const;

/** The text of a setting as given, by its name -> settings with the text that stands in where none is given. */
export type DefaultTexts = (
  given: (name: string) => string | undefined,
) => Readonly<Record<string, string>>;

export type EnvironmentOptions = {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Read when it exists; `env` wins over it. null reads none. */
  readonly file?: string | null;
  /** By the variable they stand for. */
  readonly overrides?: ReadonlyMap<string, Override>;
  /** Texts in place of the schema's defaults, which may depend on what is given. */
  readonly defaults?: DefaultTexts | undefined;
  /** Mistakes found before, such as unknown flags, to be listed with the others. */
  readonly problems?: readonly string[];
};

/**
 * Configuration from command line, environment and `.env`, in this order. An empty variable counts as not set. A
 * secret `X_PASSWORD` or `X_TOKEN` may come from the file named by `X_PASSWORD_FILE`. Variables outside the schema are
 * ignored.
 *
 * The rules between fields of the groups above (credentials belong together, topics differ, …) are applied here.
 *
 * @throws {ConfigError} listing every mistake at once; no secret is ever quoted
 */
export function readEnvironment<Schema extends z.ZodObject>(
  schema: Schema,
  options: EnvironmentOptions = {},
): z.output<Schema> {
  const names = Object.keys(schema.shape);
  const { env = process.env, file = ".env", overrides = new Map<string, Override>() } = options;
  const sources = readSources(names, { env, file, overrides });
  const defaults = options.defaults?.((name) => sources.values.get(name)?.value) ?? {};
  const values = new Map<string, Source>([
    ...Object.entries(defaults).map(([name, value]): [string, Source] => [name, { value }]),
    ...sources.values,
  ]);
  const parsed = schema.safeParse(
    Object.fromEntries(names.map((name) => [name, values.get(name)?.value])),
  );
  const given = (name: string): string | undefined => values.get(name)?.value;
  const problems = [
    ...(options.problems ?? []),
    ...sources.problems,
    ...(parsed.success ? [] : parsed.error.issues.map((issue) => line(issue, values))),
    ...groupProblems(names, given),
    ...networkProblems(names, given, env),
  ];
  if (parsed.success && problems.length === 0) return parsed.data;
  throw new ConfigError([...problems, ...typoHints(names, sources.present)]);
}

/** Hints at variables that look like a mistyped name of the schema and are therefore not read. */
export function likelyTypos(schema: z.ZodObject, options: EnvironmentOptions = {}): string[] {
  const names = Object.keys(schema.shape);
  const { env = process.env, file = ".env" } = options;
  return typoHints(names, readSources(names, { env, file, overrides: new Map() }).present);
}

function line(issue: z.core.$ZodIssue, values: ReadonlyMap<string, Source>): string {
  const name = String(issue.path[0] ?? "configuration");
  const source = values.get(name);
  if (source === undefined) {
    return issue.code === "invalid_type"
      ? `${name} is not set: it is needed`
      : `${name}, left at its default, ${issue.message}`;
  }
  const label = source.flag ?? name;
  return isSecretName(name)
    ? `${label}: ${issue.message}`
    : `${label} is ${shown(source.value)}: ${issue.message}`;
}
