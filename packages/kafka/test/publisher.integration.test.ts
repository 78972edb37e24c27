import { openPublisher, type Publisher } from "@adstream/kafka/publisher";
import { afterAll, beforeAll, expect, test } from "vitest";

import { startFixture, type Fixture } from "./broker-fixture.ts";
import { sleep } from "./reading.ts";

const produce = 0;
const messageTooLarge = 10;
const topicAuthorizationFailed = 29;

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

function record(topic: string, key: string, value: string) {
  return { topic, key, value: Buffer.from(value) };
}

/** "key=value" of each record, in the order of partition and offset. */
async function contents(topic: string): Promise<string[]> {
  return (await fixture.records(topic)).map((line) => line.slice(line.indexOf(" ") + 1));
}

test("K1: sends that overlap while an answer is lost are all in the log, once, in order", async () => {
  const topic = await fixture.topic(1);
  await using publisher = await openPublisher(fixture);
  await publisher.publish([record(topic, "k", "warm")]);
  const fault = fixture.broker.faults.add({ apiKey: produce, topic, action: "close-after" });
  await Promise.all(["A", "B", "C"].map((value) => publisher.publish([record(topic, "k", value)])));
  expect(fault.hits).toBe(1);
  expect(await contents(topic)).toEqual(["k=warm", "k=A", "k=B", "k=C"]);
});

test("K1 is still there in bare kafkajs: an acknowledged record is lost", async () => {
  const topic = await fixture.topic(1);
  const producer = fixture.kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  await producer.send({ topic, messages: [{ key: "k", value: "warm" }] });
  fixture.broker.faults.add({ apiKey: produce, topic, action: "close-after" });
  await Promise.all(
    ["A", "B", "C"].map((value) => producer.send({ topic, messages: [{ key: "k", value }] })),
  );
  await producer.disconnect();
  const found = await contents(topic);
  expect(["A", "B", "C"].every((value) => found.includes(`k=${value}`))).toBe(false);
});

test("K2, K3: each of ten sends loses its answer, and the log holds ten records", async () => {
  const topic = await fixture.topic(8);
  await using publisher = await openPublisher(fixture);
  for (let i = 0; i < 10; i++) {
    fixture.broker.faults.add({ apiKey: produce, topic, action: "close-after" });
    await publisher.publish([record(topic, `k${i}`, `v${i}`)]);
  }
  const expected = Array.from({ length: 10 }, (_, i) => `k${i}=v${i}`);
  expect((await contents(topic)).toSorted()).toEqual(expected);
});

test("K23: what is not acknowledged in time is an error that ends the process, for all that wait", async () => {
  const topic = await fixture.topic(1);
  const publisher = await openPublisher({ ...fixture, deadlineMs: 400 });
  await publisher.publish([record(topic, "k", "warm")]);
  const fault = fixture.broker.faults.add({
    apiKey: produce,
    topic,
    count: Infinity,
    action: "close-before",
  });
  const outcomes = await Promise.allSettled(
    ["A", "B"].map((value) => publisher.publish([record(topic, "k", value)])),
  );
  const reason = { code: "PUBLISH_DEADLINE", disposition: "stop", exitCode: 70 };
  expect(outcomes).toMatchObject([
    { status: "rejected", reason },
    { status: "rejected", reason },
  ]);
  await expect(publisher.publish([record(topic, "k", "C")])).rejects.toMatchObject(reason);
  fault.remove();
  await publisher[Symbol.asyncDispose]();
});

test("one publish larger than a request becomes several, in order, over several topics", async () => {
  const [first, second] = [await fixture.topic(1), await fixture.topic(1)];
  await using publisher = await openPublisher(fixture);
  const filler = "x".repeat(10_000);
  const records = Array.from({ length: 250 }, (_, i) =>
    record(i % 2 === 0 ? first : second, "k", `${i}-${filler}`),
  );
  await publisher.publish(records);
  const numbers = async (topic: string) =>
    (await fixture.records(topic))
      .map((line) =>
        line
          .match(/:(\d+) k=(\d+)-/)
          ?.slice(1)
          .map(Number),
      )
      .toSorted((a, b) => (a?.[0] ?? 0) - (b?.[0] ?? 0))
      .map((pair) => pair?.[1]);
  expect(await numbers(first)).toEqual(Array.from({ length: 125 }, (_, i) => 2 * i));
  expect(await numbers(second)).toEqual(Array.from({ length: 125 }, (_, i) => 2 * i + 1));
});

test("keys, values, headers, nulls and timestamps arrive as they were given", async () => {
  const topic = await fixture.topic(1);
  await using publisher = await openPublisher(fixture);
  const value = new Uint8Array([9, 0, 255, 128, 9]).subarray(1, 4);
  await publisher.publish([
    { topic, key: new Uint8Array([0, 255]), value, headers: { a: "é" }, timestamp: 1_234 },
    { topic, key: "", value: null },
  ]);
  const consumer = fixture.kafka.consumer({ groupId: topic, maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const messages: object[] = [];
  await consumer.run({
    eachMessage: ({ message }) => {
      const { key, value: bytes, headers, timestamp } = message;
      messages.push({ key, value: bytes, a: String(headers?.["a"]), timestamp });
      return Promise.resolve();
    },
  });
  while (messages.length < 2) await sleep(10);
  await consumer.disconnect();
  expect(messages).toMatchObject([
    { key: Buffer.from([0, 255]), value: Buffer.from([0, 255, 128]), a: "é", timestamp: "1234" },
    { key: Buffer.alloc(0), value: null },
  ]);
});

test("keys go where Java's default partitioner sends them", async () => {
  // Hashes from Kafka's own UtilsTest.
  const hashes = new Map([
    ["21", -973932308],
    ["foobar", -790332482],
    ["a-little-bit-long-string", -985981536],
    ["a-little-bit-longer-string", -1486304829],
    ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
    ["abc", 479470107],
  ]);
  const partitions = 11;
  const topic = await fixture.topic(partitions);
  await using publisher = await openPublisher(fixture);
  await publisher.publish([...hashes.keys()].map((key) => record(topic, key, "v")));
  const found = (await fixture.records(topic)).map((line) => line.replace(/:\d+/, ""));
  const expected = [...hashes].map(([key, hash]) => `${(hash & 0x7fffffff) % partitions} ${key}=v`);
  expect(found.toSorted()).toEqual(expected.toSorted());
});

test("a record that no request can hold is refused before anything is sent", async () => {
  const topic = await fixture.topic(1);
  await using publisher = await openPublisher(fixture);
  const tooLarge = { topic, key: "k", value: new Uint8Array(publisher.maxRecordBytes + 1) };
  const refused = publisher.publish([record(topic, "k", "before"), tooLarge]);
  await expect(refused).rejects.toMatchObject({
    code: "RECORD_TOO_LARGE",
    disposition: "dead-letter",
  });
  await publisher.publish([record(topic, "k", "after")]);
  expect(await contents(topic)).toEqual(["k=after"]);
});

test("a batch that the broker finds too large is sent in halves", async () => {
  const topic = await fixture.topic(1);
  await using publisher = await openPublisher(fixture);
  const action = { errorCode: messageTooLarge };
  const fault = fixture.broker.faults.add({ apiKey: produce, topic, count: 2, action });
  await publisher.publish(["a", "b", "c", "d"].map((value) => record(topic, "k", value)));
  expect(fault.hits).toBe(2);
  expect(await contents(topic)).toEqual(["k=a", "k=b", "k=c", "k=d"]);
});

test("a single record that the broker finds too large is the caller's to replace", async () => {
  const topic = await fixture.topic(1);
  await using publisher = await openPublisher(fixture);
  fixture.broker.faults.add({ apiKey: produce, topic, action: { errorCode: messageTooLarge } });
  await expect(publisher.publish([record(topic, "k", "a")])).rejects.toMatchObject({
    code: "RECORD_TOO_LARGE",
    disposition: "dead-letter",
  });
  await publisher.publish([record(topic, "k", "b")]);
  expect(await contents(topic)).toEqual(["k=b"]);
});

test("after a refused send, later records are not taken for repeats of what another partition kept", async () => {
  // kafkajs rolls the sequence numbers of all partitions back, although partition 1 took its record: the next record
  // there would get the number of this one, and be acknowledged as its repeat.
  const topic = await fixture.topic(2);
  await using publisher = await openPublisher(fixture);
  const [zero, one] = await keysOf(topic, publisher);
  const action = { errorCode: topicAuthorizationFailed };
  fixture.broker.faults.add({ apiKey: produce, topic, partition: 0, action });
  const refused = publisher.publish([record(topic, zero, "x"), record(topic, one, "y")]);
  await expect(refused).rejects.toMatchObject({ code: "NOT_AUTHORIZED" });
  await publisher.publish([record(topic, one, "z")]);
  expect(await contents(topic)).toContain(`${one}=z`);
});

/** A key for partition 0 and one for partition 1. */
async function keysOf(topic: string, publisher: Publisher): Promise<[string, string]> {
  const keys = Array.from({ length: 20 }, (_, i) => `key${i}`);
  await publisher.publish(keys.map((key) => record(topic, key, "probe")));
  const lines = await fixture.records(topic);
  const keyIn = (partition: number) =>
    lines.find((line) => line.startsWith(`${partition}:`))?.match(/ (\w+)=/)?.[1] ?? "";
  return [keyIn(0), keyIn(1)];
}

test("a topic that does not exist is named at once, not after the deadline", async () => {
  await using publisher = await openPublisher(fixture);
  await expect(publisher.publish([record("missing", "k", "v")])).rejects.toMatchObject({
    code: "TOPIC_MISSING",
    message: expect.stringContaining("missing"),
  });
});

test("more than the queue may hold is refused, and nothing of it is lost silently", async () => {
  const topic = await fixture.topic(1);
  const publisher = await openPublisher({ ...fixture, deadlineMs: 3_000 });
  await publisher.publish([record(topic, "k", "warm")]);
  fixture.broker.freeze();
  const value = new Uint8Array(800_000);
  const outcomes: Promise<void>[] = [];
  for (let i = 0; i < 90; i++) outcomes.push(publisher.publish([{ topic, key: "k", value }]));
  const last = outcomes.at(-1);
  await expect(last).rejects.toMatchObject({ code: "SERVER_UNAVAILABLE", disposition: "retry" });
  const disposed = publisher[Symbol.asyncDispose]();
  fixture.broker.thaw();
  await disposed;
  const settled = await Promise.allSettled(outcomes);
  expect(settled.every(({ status }) => status === "rejected")).toBe(true);
});

test("publishing nothing is done at once", async () => {
  await using publisher = await openPublisher(fixture);
  expect(await publisher.publish([])).toBeUndefined();
});
