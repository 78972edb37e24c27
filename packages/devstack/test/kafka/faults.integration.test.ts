import { afterEach, beforeEach, expect, test } from "vitest";
import { startKafka } from "../../src/kafka/server.ts";
import type { KafkaServer } from "../../src/kafka/server.ts";
import { encodeBatch } from "./encode-batch.ts";
import { createTopicRaw, fetchRaw, openRawClient, produceRaw, writeProduce } from "./raw-client.ts";
import type { RawClient } from "./raw-client.ts";

const PRODUCE = 0;
const FETCH = 1;
const API_VERSIONS = 18;

let server: KafkaServer;
let client: RawClient;

beforeEach(async () => {
  server = await startKafka();
  client = await openRawClient(server);
  await createTopicRaw(client, "t", {}, 2);
  await createTopicRaw(client, "other");
});
afterEach(async () => {
  await client[Symbol.asyncDispose]();
  await server.close();
});

async function highWatermark(): Promise<number> {
  await using fresh = await openRawClient(server);
  return (await fetchRaw(fresh, { topic: "t", offset: 0 })).highWatermark;
}

function sendProduce(): void {
  client.send(PRODUCE, 7, (out) =>
    writeProduce(out, { topic: "t", batch: encodeBatch(), acks: -1 }),
  );
}

test("close-before cuts the connection and nothing is written", async () => {
  server.faults.add({ apiKey: PRODUCE, action: "close-before" });
  sendProduce();
  expect(await client.receive()).toBeUndefined();
  expect(await highWatermark()).toBe(0);
});

test("close-after cuts the connection and the record is there", async () => {
  server.faults.add({ apiKey: PRODUCE, action: "close-after" });
  sendProduce();
  expect(await client.receive()).toBeUndefined();
  expect(await highWatermark()).toBe(1);
});

test("drop-response writes the record, never answers and keeps the connection", async () => {
  const fault = server.faults.add({ apiKey: PRODUCE, action: "drop-response" });
  sendProduce();
  const next = client.send(API_VERSIONS, 0, () => {});
  expect((await client.receive())?.correlationId).toBe(next);
  expect([await highWatermark(), fault.hits]).toEqual([1, 1]);
});

test("an error code is the answer for the partition it names, and nothing is written there", async () => {
  server.faults.add({
    apiKey: PRODUCE,
    topic: "t",
    partition: 1,
    count: Infinity,
    action: { errorCode: 6 },
  });
  expect((await produceRaw(client, "t", encodeBatch(), 1)).error).toBe(6);
  expect((await produceRaw(client, "t", encodeBatch(), 0)).error).toBe(0);
  expect((await produceRaw(client, "other", encodeBatch())).error).toBe(0);
});

test("an error code on fetch is answered at once", async () => {
  server.faults.add({ apiKey: FETCH, action: { errorCode: 6 } });
  const fetched = await fetchRaw(client, { topic: "t", offset: 0, maxWaitMs: 60_000 });
  expect(fetched.error).toBe(6);
});

test("a delayed request holds back what comes behind it on its connection only", async () => {
  server.faults.add({ apiKey: PRODUCE, action: { delayMs: 50 } });
  const startMs = performance.now();
  const produced = produceRaw(client, "t", encodeBatch());
  expect(await highWatermark()).toBe(0);
  expect((await produced).error).toBe(0);
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(49);
});

test("disconnectAll cuts everybody, and everybody may come back", async () => {
  server.disconnectAll();
  expect(await client.receive()).toBeUndefined();
  expect(await highWatermark()).toBe(0);
});
