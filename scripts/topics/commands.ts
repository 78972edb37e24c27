import type { TopicSpec } from "@adstream/contracts/topics";
import type { TopicDescription, TopicOutcome } from "@adstream/kafka/topics";

/** What the commands do to a cluster; the functions of `@adstream/kafka/topics`, bound to one. */
export type TopicAdmin = {
  create(specs: readonly TopicSpec[]): Promise<readonly TopicOutcome[]>;
  describe(topics: readonly string[]): Promise<readonly TopicDescription[]>;
  /** @returns those that were there */
  delete(topics: readonly string[]): Promise<readonly string[]>;
};

/** Prints a line for people. */
type Say = (line: string) => void;

/** Creates what is missing and says where something that exists is not as it should be. */
export async function createTopics(
  admin: TopicAdmin,
  specs: readonly TopicSpec[],
  say: Say,
): Promise<void> {
  const outcomes = await admin.create(specs);
  for (const { topic, outcome } of outcomes) say(`${topic}: ${outcome}`);
  const existing = outcomes.filter(({ outcome }) => outcome === "exists").map(({ topic }) => topic);
  const descriptions = existing.length === 0 ? [] : await admin.describe(existing);
  for (const line of differences(specs, descriptions)) say(line);
}

/** Deletes the topics with everything in them, and creates them again. */
export async function clearTopics(
  admin: TopicAdmin,
  specs: readonly TopicSpec[],
  say: Say,
): Promise<void> {
  const deleted = await admin.delete(specs.map(({ topic }) => topic));
  for (const topic of deleted) say(`${topic}: deleted`);
  await createTopics(admin, specs, say);
  if (deleted.length === 0) return;
  // The processor would otherwise stop with exit code 78: its state is of a log that is gone.
  say(
    "checkpoints and documents of before are still there: remove what CHECKPOINT_URL names, and the collection",
  );
}

/** Partitions, records and settings of each topic, and what is not as it should be. */
export async function describeTopics(
  admin: TopicAdmin,
  specs: readonly TopicSpec[],
  say: Say,
): Promise<void> {
  const descriptions = await admin.describe(specs.map(({ topic }) => topic));
  for (const { topic, exists, offsets, replicationFactor, config } of descriptions) {
    if (!exists) {
      say(`${topic}: does not exist`);
      continue;
    }
    const records = offsets.reduce((sum, { low, high }) => sum + high - low, 0);
    say(
      `${topic}: ${offsets.length} partitions, replication ${replicationFactor}, ${records} records`,
    );
    for (const [name, value] of Object.entries(config)) say(`  ${name}=${value}`);
    for (const [partition, { low, high }] of offsets.entries()) {
      say(`  partition ${partition}: offsets ${low} to ${high}`);
    }
  }
  for (const line of differences(specs, descriptions)) say(line);
}

/** One line for each setting of an existing topic that is not the one asked for. */
export function differences(
  specs: readonly TopicSpec[],
  descriptions: readonly TopicDescription[],
): string[] {
  return descriptions.flatMap((description) => {
    const spec = specs.find(({ topic }) => topic === description.topic);
    return spec === undefined || !description.exists ? [] : differencesOf(spec, description);
  });
}

/** Kafka's defaults of the settings we set: brokers list only what differs from them. */
const brokerDefaults: Readonly<Record<string, string>> = {
  "cleanup.policy": "delete",
  "message.timestamp.type": "CreateTime",
  "retention.ms": "604800000",
};

function differencesOf(
  spec: TopicSpec,
  { offsets, replicationFactor, config }: TopicDescription,
): string[] {
  const { topic } = spec;
  const lines: string[] = [];
  if (offsets.length !== spec.partitions) {
    lines.push(
      `${topic}: has ${offsets.length} partitions, TOPIC_PARTITIONS is ${spec.partitions}`,
    );
  }
  const wanted = spec.replicationFactor;
  if (wanted !== undefined && wanted !== replicationFactor) {
    lines.push(
      `${topic}: has replication ${replicationFactor}, TOPIC_REPLICATION_FACTOR is ${wanted}`,
    );
  }
  for (const [name, value] of Object.entries(spec.config)) {
    const actual = config[name] ?? brokerDefaults[name];
    if (actual !== value) lines.push(`${topic}: ${name} is ${actual}, should be ${value}`);
  }
  return lines;
}
