import { ConfigResourceTypes } from "kafkajs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startTestBroker } from "./clients.ts";
import type { TestBroker } from "./clients.ts";
import { commitRaw, joinRaw, openRawClient } from "./raw-client.ts";
import type { RawClient } from "./raw-client.ts";

const ALL = Array.from({ length: 100 }, (_, index) => `v${index}`);

let broker: TestBroker;
let raw: RawClient;
let topics = 0;

beforeAll(async () => {
  broker = await startTestBroker();
  raw = await openRawClient(broker.server);
});
afterAll(async () => {
  await raw[Symbol.asyncDispose]();
  await broker[Symbol.asyncDispose]();
});

const ascending = (one: number, other: number): number => one - other;

async function createTopic(
  partitions: number,
  configs: Record<string, string> = {},
): Promise<string> {
  const topic = `topic-${++topics}`;
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }));
  await broker.admin.createTopics({
    topics: [{ topic, numPartitions: partitions, configEntries }],
  });
  return topic;
}

async function send(topic: string, values: readonly string[], partition?: number): Promise<void> {
  const place = partition === undefined ? {} : { partition };
  const messages = values.map((value) => ({ key: value, value, ...place }));
  await broker.producer.send({ topic, messages });
}

describe("records", () => {
  test("what is produced is consumed, in order per partition, and nothing else", async () => {
    const topic = await createTopic(3);
    await send(topic, ALL);
    const { values } = await broker.member("reads-all", [topic]);
    await vi.waitFor(() => expect(values).toHaveLength(100));
    expect(values.toSorted()).toEqual(ALL.toSorted());
  });

  test("a group goes on where it committed", async () => {
    const topic = await createTopic(1);
    await send(topic, ["a", "b"]);
    const first = await broker.member("goes-on", [topic]);
    await vi.waitFor(() => expect(first.values).toEqual(["a", "b"]));
    await first.consumer.disconnect();
    await send(topic, ["c"]);
    const second = await broker.member("goes-on", [topic]);
    await vi.waitFor(() => expect(second.values).toEqual(["c"]));
  });

  test("deleted records are gone, and a reader behind them is sent to the log start", async () => {
    const topic = await createTopic(1);
    await send(topic, ["a", "b"]);
    await send(topic, ["c"]);
    expect(await commitRaw(raw, "behind", topic, 0)).toBe(0);
    await broker.admin.fetchTopicMetadata({ topics: [topic] }); // kafkajs wants to know the leader
    await broker.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "2" }] });
    expect(await broker.admin.fetchTopicOffsets(topic)).toMatchObject([{ low: "2", high: "3" }]);
    const { values } = await broker.member("behind", [topic]);
    await vi.waitFor(() => expect(values).toEqual(["c"]));
  });

  test("a record larger than max.message.bytes is refused, a smaller one is not", async () => {
    const topic = await createTopic(1, { "max.message.bytes": "200" });
    await expect(send(topic, ["v".repeat(300)])).rejects.toMatchObject({
      type: "MESSAGE_TOO_LARGE",
    });
    await send(topic, ["small"]);
  });

  test("with LogAppendTime the time is the broker's, and times find offsets", async () => {
    const topic = await createTopic(1, { "message.timestamp.type": "LogAppendTime" });
    const beforeMs = Date.now();
    const messages = [{ value: "old", timestamp: "1000" }];
    await broker.producer.send({ topic, messages });
    const offsetAt = (timestampMs: number) =>
      broker.admin.fetchTopicOffsetsByTimestamp(topic, timestampMs);
    expect(await offsetAt(beforeMs)).toEqual([{ partition: 0, offset: "0" }]);
    expect(await offsetAt(Date.now() + 60_000)).toEqual([{ partition: 0, offset: "1" }]);
  });

  test("a topic nobody created is unknown", async () => {
    await expect(send("nobody-created-it", ["a"])).rejects.toMatchObject({
      cause: { type: "UNKNOWN_TOPIC_OR_PARTITION" },
    });
  });
});

describe("topics", () => {
  test("a deleted topic comes back empty and without committed offsets", async () => {
    const topic = await createTopic(1);
    await send(topic, ["a"]);
    expect(await commitRaw(raw, "of-deleted", topic, 1)).toBe(0);
    await broker.admin.deleteTopics({ topics: [topic] });
    expect(await broker.admin.listTopics()).not.toContain(topic);
    await broker.admin.createTopics({ topics: [{ topic }] });
    expect(await broker.admin.fetchTopicOffsets(topic)).toMatchObject([{ high: "0" }]);
    const fetched = await broker.admin.fetchOffsets({ groupId: "of-deleted", topics: [topic] });
    expect(fetched[0]?.partitions).toMatchObject([{ offset: "-1" }]);
  });

  test("partitions are added, never taken away", async () => {
    const topic = await createTopic(2);
    const grow = (count: number) =>
      broker.admin.createPartitions({ topicPartitions: [{ topic, count }] });
    await grow(5);
    expect(await broker.admin.fetchTopicOffsets(topic)).toHaveLength(5);
    await expect(grow(3)).rejects.toMatchObject({ type: "INVALID_PARTITIONS" });
  });

  test("settings are kept, described and changed", async () => {
    const topic = await createTopic(1, { "cleanup.policy": "compact" });
    await broker.admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: ConfigResourceTypes.TOPIC,
          name: topic,
          configEntries: [{ name: "retention.ms", value: "5" }],
        },
      ],
    });
    const described = await broker.admin.describeConfigs({
      includeSynonyms: false,
      resources: [
        {
          type: ConfigResourceTypes.TOPIC,
          name: topic,
          configNames: ["cleanup.policy", "retention.ms"],
        },
      ],
    });
    const entries = described.resources[0]?.configEntries ?? [];
    const values = Object.fromEntries(
      entries.map((entry) => [entry.configName, entry.configValue]),
    );
    expect(values).toEqual({ "cleanup.policy": "delete", "retention.ms": "5" });
  });

  test.each([
    { name: "a name that exists", change: { topic: "taken" }, type: "TOPIC_ALREADY_EXISTS" },
    { name: "an illegal name", change: { topic: "a/b" }, type: "INVALID_TOPIC_EXCEPTION" },
    {
      name: "three replicas",
      change: { replicationFactor: 3 },
      type: "INVALID_REPLICATION_FACTOR",
    },
    { name: "no partitions", change: { numPartitions: 0 }, type: "INVALID_PARTITIONS" },
    {
      name: "an unknown setting",
      change: { configEntries: [{ name: "cleanup.polcy", value: "x" }] },
      type: "INVALID_CONFIG",
    },
  ])("$name is refused with $type", async ({ change, type }) => {
    await broker.admin.createTopics({ topics: [{ topic: "taken" }] });
    const error: unknown = await broker.admin
      .createTopics({ topics: [{ topic: "fresh", ...change }] })
      .catch((thrown: unknown) => thrown);
    if (type === "TOPIC_ALREADY_EXISTS") expect(error).toBe(false);
    else expect(error).toMatchObject({ errors: [{ type }] });
  });
});

describe("groups", () => {
  test("two members share the partitions, and the rest gets all when one leaves", async () => {
    const topic = await createTopic(4);
    const first = await broker.member("shares", [topic], { heartbeatInterval: 50 });
    const second = await broker.member("shares", [topic], { heartbeatInterval: 50 });
    await vi.waitFor(() => expect(first.assigned()).toHaveLength(2), { timeout: 10_000 });
    expect([...first.assigned()!, ...second.assigned()!].sort(ascending)).toEqual([0, 1, 2, 3]);
    await second.consumer.disconnect();
    await vi.waitFor(() => expect(first.assigned()).toEqual([0, 1, 2, 3]), { timeout: 10_000 });
  });

  test("a member that dies without a word is out after its session time-out", async () => {
    const topic = await createTopic(2);
    const timing = { heartbeatInterval: 50, sessionTimeout: 1000, rebalanceTimeout: 2000 };
    const first = await broker.member("mourns", [topic], timing);
    const joined = await joinRaw(raw, "mourns", { sessionTimeoutMs: 1000, topic });
    expect(joined.error).toBe(0);
    await vi.waitFor(() => expect(first.assigned()).toHaveLength(1), { timeout: 10_000 });
    await vi.waitFor(() => expect(first.assigned()).toEqual([0, 1]), { timeout: 10_000 });
    const { groups } = await broker.admin.describeGroups(["mourns"]);
    expect(groups[0]?.members).toHaveLength(1);
  });

  test("groups are listed, described and deleted, the latter only without members", async () => {
    const topic = await createTopic(1);
    const member = await broker.member("described", [topic]);
    await vi.waitFor(() => expect(member.assigned()).toEqual([0]));
    const { groups } = await broker.admin.listGroups();
    expect(groups).toContainEqual({ groupId: "described", protocolType: "consumer" });
    const described = await broker.admin.describeGroups(["described", "nobody"]);
    expect(described.groups.map(({ state }) => state)).toEqual(["Stable", "Dead"]);
    await expect(broker.admin.deleteGroups(["described"])).rejects.toMatchObject({
      groups: [{ errorCode: 68 }],
    });
    await member.consumer.disconnect();
    await broker.admin.deleteGroups(["described"]);
  });
});
