import { openPublisher } from "@adstream/kafka/publisher";
import type { RecordBlocks } from "@adstream/kafka/record-blocks";
import { afterAll, beforeAll, expect, test } from "vitest";

import { startFixture, type Fixture } from "./broker-fixture.ts";

const produce = 0;
const messageTooLarge = 10;

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

function append(blocks: RecordBlocks, ...records: [key: string, value: string | null][]): void {
  for (const [key, value] of records) {
    blocks.append(Buffer.from(key), value === null ? null : Buffer.from(value));
  }
}

test("keys, values and nulls arrive as they were given, where other producers send them", async () => {
  const topic = await fixture.topic(4);
  const other = await fixture.topic(4);
  await using publisher = await openPublisher(fixture);
  const blocks = await publisher.openBlocks(topic);
  const records = Array.from({ length: 1_000 }, (_, i) => ({
    key: `key-${i % 37}`,
    value: i % 10 === 0 ? null : Buffer.from(`${i} ${"é".repeat(i % 90)}`),
  }));
  for (const { key, value } of records) blocks.append(Buffer.from(key), value);
  await publisher.publishBlocks(blocks);
  await publisher.publish(records.map((record) => ({ ...record, topic: other })));
  expect(await fixture.records(topic)).toEqual(await fixture.records(other));
  expect(blocks.records).toBe(0);
});

test("K1, K3: every send loses its answer, and each record is in the log once, in order", async () => {
  const topic = await fixture.topic(1);
  await using publisher = await openPublisher(fixture);
  const blocks = await publisher.openBlocks(topic);
  append(blocks, ["k", "0"]);
  await publisher.publishBlocks(blocks);
  for (let i = 1; i < 8; i += 2) {
    fixture.broker.faults.add({ apiKey: produce, topic, action: "close-after" });
    append(blocks, ["k", `${i}`], ["k", `${i + 1}`]);
    await publisher.publishBlocks(blocks);
  }
  expect(await fixture.records(topic)).toEqual(
    Array.from({ length: 9 }, (_, i) => `0:${i} k=${i}`),
  );
});

test("blocks and records wait for each other: one send is in flight", async () => {
  const topic = await fixture.topic(1);
  await using publisher = await openPublisher(fixture);
  const [first, second] = [await publisher.openBlocks(topic), await publisher.openBlocks(topic)];
  append(first, ["k", "a"], ["k", "b"]);
  append(second, ["k", "d"]);
  fixture.broker.faults.add({ apiKey: produce, topic, action: "close-after" });
  await Promise.all([
    publisher.publishBlocks(first),
    publisher.publish([{ topic, key: "k", value: Buffer.from("c") }]),
    publisher.publishBlocks(second),
  ]);
  expect(await fixture.records(topic)).toEqual(["0:0 k=a", "0:1 k=b", "0:2 k=c", "0:3 k=d"]);
});

test("blocks that the broker finds too large are sent in halves", async () => {
  const topic = await fixture.topic(1);
  await using publisher = await openPublisher(fixture);
  const blocks = await publisher.openBlocks(topic);
  append(blocks, ["k", "a"], ["k", "b"], ["k", null], ["k", "d"]);
  const action = { errorCode: messageTooLarge };
  const fault = fixture.broker.faults.add({ apiKey: produce, topic, count: 2, action });
  await publisher.publishBlocks(blocks);
  expect(fault.hits).toBe(2);
  expect(await fixture.records(topic)).toEqual(["0:0 k=a", "0:1 k=b", "0:2 k=null", "0:3 k=d"]);
});

test("what is not acknowledged in time is an error", async () => {
  const topic = await fixture.topic(1);
  await using publisher = await openPublisher({ ...fixture, deadlineMs: 300 });
  const blocks = await publisher.openBlocks(topic);
  append(blocks, ["k", "a"]);
  const fault = fixture.broker.faults.add({
    apiKey: produce,
    topic,
    count: Infinity,
    action: "close-before",
  });
  await expect(publisher.publishBlocks(blocks)).rejects.toMatchObject({
    code: "PUBLISH_DEADLINE",
    disposition: "stop",
  });
  fault.remove();
  await expect(publisher.publishBlocks(blocks)).rejects.toMatchObject({ code: "PUBLISH_DEADLINE" });
});

test("blocks for a topic that does not exist name it", async () => {
  await using publisher = await openPublisher(fixture);
  await expect(publisher.openBlocks("missing")).rejects.toMatchObject({
    code: "TOPIC_MISSING",
    message: expect.stringContaining("missing"),
  });
});
