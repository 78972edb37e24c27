import { join } from "node:path";
import { inspect } from "node:util";
import { lockDirectory } from "./lock-directory.ts";
import { startKafka, type KafkaServer } from "./kafka/server.ts";
import { startMongo, type MongoServer } from "./mongo/server.ts";
import { startSchemaRegistry, type SchemaRegistryServer } from "./schema-registry/server.ts";

/** All optional: ephemeral ports on loopback, everything in memory. */
export type DevstackOptions = {
  readonly host?: string | undefined;
  /** 0 or absent is any free port. */
  readonly ports?:
    | {
        readonly kafka?: number | undefined;
        readonly registry?: number | undefined;
        readonly mongo?: number | undefined;
      }
    | undefined;
  /** Keeps topics, schemas and documents across restarts; made when missing. */
  readonly dataDirectory?: string | undefined;
  /** Kafka refuses shorter session time-outs; its own 6 s when absent. */
  readonly minSessionTimeoutMs?: number | undefined;
  /** How long the first member of a group waits for others; 0 when absent. */
  readonly initialRebalanceDelayMs?: number | undefined;
  /** What Kafka keeps of a partition; 256 MiB when absent. */
  readonly retentionBytes?: number | undefined;
  readonly log?: ((line: string) => void) | undefined;
};

/** What a service finds its servers by. */
export type DevstackEnvironment = {
  readonly KAFKA_BROKERS: string;
  readonly SCHEMA_REGISTRY_URL: string;
  readonly MONGODB_URL: string;
};

/** The three servers, running. */
export type Devstack = AsyncDisposable & {
  readonly kafka: KafkaServer;
  readonly schemaRegistry: SchemaRegistryServer;
  readonly mongo: MongoServer;
  readonly environment: DevstackEnvironment;
  /** Closes the servers, the last one started first. */
  close(): Promise<void>;
};

/**
 * Starts Kafka, the schema registry and MongoDB in this process. A failed start closes what came before.
 *
 * @throws Error EADDRINUSE when a port is taken, ELOCKED when another process has the data directory
 */
export async function startDevstack(options: DevstackOptions = {}): Promise<Devstack> {
  const { host = "127.0.0.1", ports = {}, dataDirectory, log } = options;
  const { minSessionTimeoutMs, initialRebalanceDelayMs, retentionBytes } = options;
  const keptAs = (name: string): string | undefined => dataDirectory && join(dataDirectory, name);
  await using opening = new AsyncDisposableStack();
  if (dataDirectory !== undefined) opening.use(lockDirectory(dataDirectory));
  const kafka = opening.use(
    await startKafka({
      host,
      port: ports.kafka ?? 0,
      ...(dataDirectory !== undefined && { dataDirectory: join(dataDirectory, "kafka") }),
      ...(minSessionTimeoutMs !== undefined && { minSessionTimeoutMs }),
      ...(initialRebalanceDelayMs !== undefined && { initialRebalanceDelayMs }),
      ...(retentionBytes !== undefined && { retentionBytes }),
      ...(log !== undefined && {
        log: (text, fields) => log(`kafka: ${text} ${inspect(fields, { breakLength: Infinity })}`),
      }),
    }),
  );
  const registryOptions = { host, port: ports.registry, file: keptAs("schema-registry.json"), log };
  const schemaRegistry = opening.use(await startSchemaRegistry(registryOptions));
  const mongo = opening.use(
    await startMongo({ host, port: ports.mongo, file: keptAs("mongo.journal"), log }),
  );
  const servers = opening.move(); // from here on the caller closes them
  const close = (): Promise<void> => servers.disposeAsync();
  return {
    kafka,
    schemaRegistry,
    mongo,
    environment: {
      KAFKA_BROKERS: kafka.brokers,
      SCHEMA_REGISTRY_URL: schemaRegistry.url,
      MONGODB_URL: mongo.url,
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
