import { startDevstackProcess } from "@adstream/devstack/devstack-process";

/** Where the benchmark runs. */
export type Servers = AsyncDisposable & {
  /** For the report. */
  readonly description: string;
  /** What children need to reach them. */
  readonly environment: Readonly<Record<string, string>>;
  readonly brokers: readonly string[];
  readonly registryUrl: string;
  /** Empty unless MongoDB was asked for. */
  readonly mongoUrl: string;
};

/** The embedded servers ask for no credentials, whatever the environment says of others. */
const plainKafka = {
  KAFKA_SECURITY_PROTOCOL: "PLAINTEXT",
  KAFKA_SASL_USERNAME: "",
  KAFKA_SASL_PASSWORD: "",
  KAFKA_SASL_PASSWORD_FILE: "",
  KAFKA_SSL_CA_FILE: "",
};
const openRegistry = {
  SCHEMA_REGISTRY_USERNAME: "",
  SCHEMA_REGISTRY_PASSWORD: "",
  SCHEMA_REGISTRY_PASSWORD_FILE: "",
};

/** What the embedded Kafka keeps of a partition: a benchmark reads all that it filled in. */
const retentionBytes = 4 * 1024 ** 3;

/**
 * Servers that `env` names; the others are embedded, MongoDB in a process and the others in another.
 *
 * @param initialRebalanceDelayMs how long the embedded Kafka waits for the other members of a group that starts
 */
export async function openServers({
  mongo = false,
  env = process.env,
  initialRebalanceDelayMs = 0,
} = {}): Promise<Servers> {
  const {
    KAFKA_BROKERS: brokers = "",
    SCHEMA_REGISTRY_URL: registry = "",
    MONGODB_URL: mongodb = "",
  } = env;
  await using opening = new AsyncDisposableStack();
  const embedded = async (): Promise<Readonly<Record<string, string>>> => {
    const options = { detached: true, initialRebalanceDelayMs, retentionBytes };
    const started = await startDevstackProcess(options);
    opening.defer(() => started.stop());
    return started.environment;
  };
  const kafka = brokers === "" || registry === "" ? await embedded() : {};
  // On the thread of the broker a bulk of writes would hold up everybody.
  const documents = mongo && mongodb === "" ? await embedded() : {};
  const environment = {
    ...plainKafka,
    ...openRegistry,
    KAFKA_BROKERS: brokers || (kafka["KAFKA_BROKERS"] ?? ""),
    SCHEMA_REGISTRY_URL: registry || (kafka["SCHEMA_REGISTRY_URL"] ?? ""),
  };
  const servers = opening.move();
  return {
    description: brokers === "" ? "embedded Kafka" : `Kafka at ${brokers}`,
    environment,
    brokers: environment.KAFKA_BROKERS.split(","),
    mongoUrl: mongo ? mongodb || (documents["MONGODB_URL"] ?? "") : "",
    registryUrl: environment.SCHEMA_REGISTRY_URL.replace(/\/$/, ""),
    [Symbol.asyncDispose]: () => servers.disposeAsync(),
  };
}
