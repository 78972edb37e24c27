import { memoryLog, connect, startFixture, type Fixture } from "./broker-fixture.ts";
import { openPublisher } from "@adstream/kafka/publisher";
import { createTopics, deleteTopics, describeTopics } from "@adstream/kafka/topics";
import { afterAll, beforeAll, expect, test } from "vitest";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const config = { "message.timestamp.type": "LogAppendTime", "retention.ms": "604800000" };

test("topics are created with their settings; what exists stays as it is", async () => {
  const { kafka } = fixture;
  await createTopics(kafka, [{ topic: "old", partitions: 2 }]);
  const outcomes = await createTopics(kafka, [
    { topic: "old", partitions: 5, config },
    { topic: "new", partitions: 3, config },
  ]);
  expect(outcomes).toEqual([
    { topic: "old", outcome: "exists" },
    { topic: "new", outcome: "created" },
  ]);
  const [old, fresh] = await describeTopics(kafka, ["old", "new"]);
  expect(old).toMatchObject({ exists: true, offsets: [{}, {}] });
  expect(old?.config).not.toMatchObject(config);
  expect(fresh).toMatchObject({
    exists: true,
    replicationFactor: 1,
    config,
    offsets: [
      { low: 0, high: 0 },
      { low: 0, high: 0 },
      { low: 0, high: 0 },
    ],
  });
});

test("a topic that its broker does not know yet is waited for", async () => {
  const { kafka, broker } = fixture;
  const slow = { apiKey: 3, topic: "slow", count: 3, action: { errorCode: 3 } } as const;
  const fault = broker.faults.add(slow);
  const outcomes = await createTopics(kafka, [{ topic: "slow", partitions: 1 }]);
  expect(outcomes).toEqual([{ topic: "slow", outcome: "created" }]);
  expect(fault.hits).toBe(3);
});

test("a description counts records per partition and says what does not exist", async () => {
  const topic = await fixture.topic(1);
  await using publisher = await openPublisher(fixture);
  await publisher.publish([{ topic, key: "k", value: null }]);
  const [described, missing] = await describeTopics(fixture.kafka, [topic, "missing"]);
  expect(described?.offsets).toEqual([{ low: 0, high: 1 }]);
  expect(missing).toMatchObject({ topic: "missing", exists: false, offsets: [] });
});

test("deleted topics are gone and can be created again; what is missing is no error", async () => {
  const topic = await fixture.topic(1);
  expect(await deleteTopics(fixture.kafka, [topic, "missing"])).toEqual([topic]);
  expect(await createTopics(fixture.kafka, [{ topic, partitions: 2 }])).toEqual([
    { topic, outcome: "created" },
  ]);
});

test("what the broker refuses is an error with its reason", async () => {
  const refused = createTopics(fixture.kafka, [{ topic: "no/name", partitions: 1 }]);
  await expect(refused).rejects.toThrow(/creating topics: INVALID_TOPIC_EXCEPTION/);
});

test("brokers that cannot be reached are named", async () => {
  const kafka = connect("127.0.0.1:1", memoryLog());
  await expect(describeTopics(kafka, ["t"])).rejects.toMatchObject({
    code: "SERVER_UNAVAILABLE",
    message: expect.stringMatching(/127\.0\.0\.1:1 \(KAFKA_BROKERS\).*ECONNREFUSED/),
  });
});
