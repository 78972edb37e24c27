import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { topicSpecs } from "@adstream/contracts/topics";
import { connectKafka, type KafkaConnection } from "@adstream/kafka/connection";
import { createTopics, deleteTopics } from "@adstream/kafka/topics";
import { MongoClient } from "mongodb";
import type { Servers } from "./servers.ts";

/** Topics, groups, a database and a directory that nobody else uses; removed at the end unless kept. */
export type RunScope = AsyncDisposable & {
  readonly name: string;
  /** For logs and checkpoints. */
  readonly directory: string;
  /** What services need to run in this scope; ports are ephemeral. Add settings by spreading it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly kafka: KafkaConnection;
  /** Leaves everything in place for whoever wants to look. */
  keep(): void;
};

export type ScopeOptions = {
  /** Of each topic; 4. */
  readonly partitions?: number;
  /** Variables of the services, over those of the scope. */
  readonly settings?: Readonly<Record<string, string>>;
};

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** @throws {StreamError} SERVER_UNAVAILABLE, NOT_AUTHORIZED */
export async function openRunScope(
  servers: Pick<Servers, "environment">,
  { partitions = 4, settings = {} }: ScopeOptions = {},
): Promise<RunScope> {
  const id = randomUUID().slice(0, 8);
  const topics = {
    events: `chaos-${id}`,
    results: `chaos-${id}.results`,
    deadLetters: `chaos-${id}.dlq`,
    late: `chaos-${id}.late`,
    audit: `chaos-${id}.audit`,
  };
  const directory = await mkdtemp(join(tmpdir(), `adstream-chaos-${id}-`));
  const database = `chaos_${id}`;
  const environment: Readonly<Record<string, string>> = {
    ...servers.environment,
    EVENTS_TOPIC: topics.events,
    RESULTS_TOPIC: topics.results,
    DEAD_LETTER_TOPIC: topics.deadLetters,
    LATE_TOPIC: topics.late,
    AUDIT_TOPIC: topics.audit,
    PROCESSOR_GROUP: `chaos-${id}-processor`,
    SINK_GROUP: `chaos-${id}-sink`,
    MONGODB_DATABASE: database,
    CHECKPOINT_URL: `file:${join(directory, "checkpoints")}`,
    HTTP_PORT: "0",
    ...settings,
  };
  const kafka = connectKafka(kafkaSettings(environment), silent);
  const specs = topicSpecs(topics, { partitions });
  await createTopics(kafka, specs);
  let kept = false;
  return {
    name: `chaos-${id}`,
    directory,
    environment,
    kafka,
    keep: () => void (kept = true),
    async [Symbol.asyncDispose]() {
      if (kept) return;
      await deleteTopics(
        kafka,
        specs.map(({ topic }) => topic),
      );
      await using client = new MongoClient(environment["MONGODB_URL"] ?? "");
      await client.db(database).dropDatabase();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function kafkaSettings(env: Readonly<Record<string, string>>): Parameters<typeof connectKafka>[0] {
  const protocols = ["SSL", "SASL_PLAINTEXT", "SASL_SSL"] as const;
  const mechanisms = ["SCRAM-SHA-256", "SCRAM-SHA-512"] as const;
  const { KAFKA_SASL_USERNAME: username = "", KAFKA_SASL_PASSWORD: password = "" } = env;
  const mechanism = mechanisms.find((name) => name === env["KAFKA_SASL_MECHANISM"]) ?? "PLAIN";
  const caFile = env["KAFKA_SSL_CA_FILE"] ?? "";
  return {
    brokers: (env["KAFKA_BROKERS"] ?? "").split(","),
    clientId: "adstream-chaos",
    securityProtocol:
      protocols.find((name) => name === env["KAFKA_SECURITY_PROTOCOL"]) ?? "PLAINTEXT",
    ...(username === "" ? {} : { sasl: { mechanism, username, password } }),
    ...(caFile === "" ? {} : { caFile }),
  };
}
