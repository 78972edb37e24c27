import { StreamError } from "@adstream/engine/errors";
// Node does not see this name among the exports of a CommonJS module; test runners do.
import kafkajs, { type Admin } from "kafkajs";

import { connectOnce, type KafkaConnection } from "./connection.ts";
import { toStreamError } from "./error-map.ts";

export type TopicSpec = {
  readonly topic: string;
  readonly partitions: number;
  /** The broker's default when absent. */
  readonly replicationFactor?: number;
  /** Topic settings of Kafka by name; the broker's defaults for the others. */
  readonly config?: Readonly<Record<string, string>>;
};

export type TopicOutcome = { readonly topic: string; readonly outcome: "created" | "exists" };

export type TopicDescription = {
  readonly topic: string;
  readonly exists: boolean;
  /** One for each partition, in their order. */
  readonly offsets: readonly { readonly low: number; readonly high: number }[];
  readonly replicationFactor: number;
  /** Settings that differ from the broker's defaults. */
  readonly config: Readonly<Record<string, string>>;
};

const brokersDefault = -1;
/** How long a broker may take to make or delete a topic. */
const patienceMs = 30_000;
const pollMs = 100;

/**
 * Creates what is missing. A topic that exists stays as it is, its partitions and settings included.
 *
 * @throws {StreamError} SERVER_UNAVAILABLE (retry), also when one is not there after 30 s; NOT_AUTHORIZED, INTERNAL with the broker's reason
 */
export function createTopics(
  kafka: KafkaConnection,
  specs: readonly TopicSpec[],
): Promise<TopicOutcome[]> {
  return withAdmin(kafka, "creating topics", async (admin) => {
    const outcomes: TopicOutcome[] = [];
    // One by one: of several kafkajs does not say which existed.
    for (const { topic, partitions, replicationFactor, config = {} } of specs) {
      const created = await admin.createTopics({
        // kafkajs' own wait gives up where a busy broker does not know its new topic yet.
        waitForLeaders: false,
        topics: [
          {
            topic,
            numPartitions: partitions,
            replicationFactor: replicationFactor ?? brokersDefault,
            configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
          },
        ],
      });
      await waitUntil("there", admin, topic);
      outcomes.push({ topic, outcome: created ? "created" : "exists" });
    }
    return outcomes;
  });
}

/** @throws {StreamError} SERVER_UNAVAILABLE (retry), NOT_AUTHORIZED */
export function describeTopics(
  kafka: KafkaConnection,
  topics: readonly string[],
): Promise<TopicDescription[]> {
  return withAdmin(kafka, "describing topics", async (admin) => {
    const descriptions: TopicDescription[] = [];
    for (const topic of topics) descriptions.push(await describeTopic(admin, topic));
    return descriptions;
  });
}

/**
 * Deletes the topics that exist and waits until they are gone, so that they can be created again.
 *
 * @returns those that were there
 * @throws {StreamError} SERVER_UNAVAILABLE (retry), also when one is still there after 30 s; NOT_AUTHORIZED
 */
export function deleteTopics(kafka: KafkaConnection, topics: readonly string[]): Promise<string[]> {
  return withAdmin(kafka, "deleting topics", async (admin) => {
    const there: string[] = [];
    for (const topic of topics) {
      if ((await partitionsOf(admin, topic)) !== undefined) there.push(topic);
    }
    if (there.length === 0) return there;
    await admin.deleteTopics({ topics: there });
    for (const topic of there) await waitUntil("gone", admin, topic);
    return there;
  });
}

async function withAdmin<T>(
  kafka: KafkaConnection,
  doing: string,
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = kafka.admin();
  try {
    await connectOnce(() => admin.connect(), kafka);
    return await work(admin);
  } catch (error) {
    throw toStreamError(error, doing);
  } finally {
    await admin.disconnect();
  }
}

async function describeTopic(admin: Admin, topic: string): Promise<TopicDescription> {
  const partitions = await partitionsOf(admin, topic);
  if (partitions === undefined) {
    return { topic, exists: false, offsets: [], replicationFactor: 0, config: {} };
  }
  const offsets = (await admin.fetchTopicOffsets(topic))
    .toSorted((a, b) => a.partition - b.partition)
    .map(({ low, high }) => ({ low: Number(low), high: Number(high) }));
  const replicationFactor = partitions[0]?.replicas.length ?? 0;
  return { topic, exists: true, offsets, replicationFactor, config: await ownConfig(admin, topic) };
}

type Partitions = Awaited<ReturnType<Admin["fetchTopicMetadata"]>>["topics"][number]["partitions"];

/** @returns undefined when there is no such topic */
async function partitionsOf(admin: Admin, topic: string): Promise<Partitions | undefined> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]?.partitions;
  } catch (error) {
    const mapped = toStreamError(error, `looking for ${topic}`);
    if (mapped.code === "TOPIC_MISSING") return undefined;
    throw mapped;
  }
}

async function ownConfig(admin: Admin, topic: string): Promise<Record<string, string>> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
  });
  const entries = resources[0]?.configEntries.filter((entry) => !entry.isDefault) ?? [];
  return Object.fromEntries(entries.map((entry) => [entry.configName, entry.configValue]));
}

async function waitUntil(wanted: "there" | "gone", admin: Admin, topic: string): Promise<void> {
  const end = performance.now() + patienceMs;
  while (((await partitionsOf(admin, topic)) === undefined) === (wanted === "there")) {
    if (performance.now() > end) {
      const text = `${topic} is still being ${wanted === "there" ? "created" : "deleted"}`;
      throw new StreamError("SERVER_UNAVAILABLE", "retry", text);
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
