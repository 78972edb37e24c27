import { startDevstackProcess } from "@adstream/devstack/devstack-process";

/** Kafka, schema registry and MongoDB that a run works against. */
export type Servers = AsyncDisposable & {
  /** For the report. */
  readonly description: string;
  /** All that services need to reach them; empty values overrule what a `.env` may say of others. */
  readonly environment: Readonly<Record<string, string>>;
};

const variables = ["KAFKA_BROKERS", "SCHEMA_REGISTRY_URL", "MONGODB_URL"] as const;
const credentials = [
  "KAFKA_SECURITY_PROTOCOL",
  "KAFKA_SASL_MECHANISM",
  "KAFKA_SASL_USERNAME",
  "KAFKA_SASL_PASSWORD",
  "KAFKA_SASL_PASSWORD_FILE",
  "KAFKA_SSL_CA_FILE",
  "SCHEMA_REGISTRY_USERNAME",
  "SCHEMA_REGISTRY_PASSWORD",
  "SCHEMA_REGISTRY_PASSWORD_FILE",
] as const;

/**
 * The servers that the environment names, all three of them; else the embedded ones, in a process of their own.
 *
 * @throws {Error} when the environment names some and not all, or the embedded ones do not start
 */
export async function openServers(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Servers> {
  const named = variables.filter((name) => (env[name] ?? "") !== "");
  if (named.length === 0) return openEmbedded();
  const missing = variables.filter((name) => !named.includes(name));
  if (missing.length > 0) throw new Error(`${named.join(", ")} set and ${missing.join(", ")} not`);
  const known = [...variables, ...credentials].map((name) => [name, env[name] ?? ""]);
  return {
    description: `Kafka at ${env["KAFKA_BROKERS"]}`,
    environment: Object.fromEntries(known),
    [Symbol.asyncDispose]: async () => {},
  };
}

async function openEmbedded(): Promise<Servers> {
  // Ctrl-C is for whoever started us.
  const devstack = await startDevstackProcess({ detached: true });
  const open = Object.fromEntries(credentials.map((name) => [name, ""]));
  return {
    description: "the embedded servers",
    environment: { ...open, ...devstack.environment },
    [Symbol.asyncDispose]: () => devstack.stop(),
  };
}
