import { adEventSchema } from "@adstream/contracts/ad-event";
import { valueSubject } from "@adstream/contracts/topics";
import { connectKafka, type KafkaConnection } from "@adstream/kafka/connection";
import { createTopics, deleteTopics } from "@adstream/kafka/topics";
import kafkajs, { type Admin, type Kafka } from "kafkajs";
import type { Servers } from "./servers.ts";

/** Topics of one run, gone when it is disposed of. */
export type Topics = AsyncDisposable & {
  readonly admin: Admin;
  readonly names: Readonly<Record<"EVENTS_TOPIC" | "RESULTS_TOPIC", string>> &
    Readonly<Record<string, string>>;
  /** Of the events' schema. */
  readonly schemaId: number;
};

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** Servers of a benchmark ask for no credentials. */
export function connectBench(brokers: readonly string[]): KafkaConnection {
  return connectKafka({ brokers, clientId: "bench", securityProtocol: "PLAINTEXT" }, quiet);
}

/** Whose clock the records of a topic carry. */
export type Stamped = "CreateTime" | "LogAppendTime";

/** Makes topics that are gone when the result is disposed of. @param stamps by the topics' names */
export async function borrowTopics(
  kafka: KafkaConnection,
  stamps: Readonly<Record<string, Stamped>>,
  partitions: number,
): Promise<AsyncDisposable> {
  const specs = Object.entries(stamps).map(([topic, stamped]) => {
    return { topic, partitions, config: { "message.timestamp.type": stamped } };
  });
  const remove = async (): Promise<void> => void (await deleteTopics(kafka, Object.keys(stamps)));
  try {
    await createTopics(kafka, specs);
  } catch (error) {
    await remove();
    throw error;
  }
  return { [Symbol.asyncDispose]: remove };
}

/**
 * Events carry the time at which they were due; results that at which the broker had them.
 * @param name tells them from those of others
 */
export async function openTopics(
  { brokers, registryUrl }: Pick<Servers, "brokers" | "registryUrl">,
  name: string,
  partitions: number,
): Promise<Topics> {
  await using opening = new AsyncDisposableStack();
  const kafka = connectBench(brokers);
  const admin = opening.adopt(kafka.admin(), (opened) => opened.disconnect());
  await admin.connect();
  const names = {
    EVENTS_TOPIC: `${name}-events`,
    RESULTS_TOPIC: `${name}-results`,
    DEAD_LETTER_TOPIC: `${name}-dead`,
    LATE_TOPIC: `${name}-late`,
    SINK_DEAD_LETTER_TOPIC: `${name}-results-dead`,
  };
  const stamps = Object.values(names).map((topic): [string, Stamped] => [
    topic,
    topic === names.EVENTS_TOPIC ? "CreateTime" : "LogAppendTime",
  ]);
  opening.use(await borrowTopics(kafka, Object.fromEntries(stamps), partitions));
  const schemaId = await registerSchema(registryUrl, valueSubject(names.EVENTS_TOPIC));
  const resources = opening.move();
  return { admin, names, schemaId, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

/** Registers the schema of events. @returns its id */
export async function registerSchema(registry: string, subject: string): Promise<number> {
  const response = await fetch(`${registry}/subjects/${subject}/versions`, {
    method: "POST",
    headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
    body: JSON.stringify({ schema: adEventSchema }),
  });
  const answer: unknown = await response.json();
  const id = Number(Reflect.get(Object(answer), "id"));
  if (Number.isInteger(id)) return id;
  throw new Error(`the registry answers ${response.status}: ${JSON.stringify(answer)}`);
}

/** kafkajs as it comes, to read back what was written. */
export function stockClient(brokers: readonly string[]): Kafka {
  return new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.ERROR });
}

/** Connected, and disconnected when it is disposed of. */
export async function openAdmin(
  kafka: Kafka,
): Promise<AsyncDisposable & { readonly client: Admin }> {
  const client = kafka.admin();
  await client.connect();
  return { client, [Symbol.asyncDispose]: () => client.disconnect() };
}
