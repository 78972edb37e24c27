import { connect as connectSocket, type Socket } from "node:net";

import { openPublisher } from "@adstream/kafka/publisher";
import kafkajs from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";

import { startFixture, until, type Fixture } from "./broker-fixture.ts";
import { read, sleep } from "./reading.ts";

let fixture: Fixture;
const warnings: string[] = [];
const noteWarning = (warning: Error) => warnings.push(warning.name);
beforeAll(async () => {
  process.on("warning", noteWarning);
  fixture = await startFixture();
});
afterAll(async () => {
  process.off("warning", noteWarning);
  await fixture[Symbol.asyncDispose]();
});

test("K18: idle connections set no timer again and again, and none with a negative time", async () => {
  await using publisher = await openPublisher(fixture);
  const topic = await fixture.topic(1);
  await publisher.publish([{ topic, key: "k", value: null }]);
  const { setTimeout: real } = globalThis;
  let short = 0;
  globalThis.setTimeout = Object.assign(
    (...[callback, ms, ...rest]: Parameters<typeof real>) => {
      if (!((ms ?? 0) > 1)) short++;
      return real(callback, ms, ...rest);
    },
    { __promisify__: real.__promisify__ },
  );
  await new Promise((resolve) => real(resolve, 500));
  globalThis.setTimeout = real;
  expect(short).toBeLessThan(10);
  expect(warnings).not.toContain("TimeoutNegativeWarning");
});

test("a request that is not answered in time takes its connection with it, and the retry takes another", async () => {
  const topic = await fixture.topic(1);
  const sockets: Socket[] = [];
  const kafka = new kafkajs.Kafka({
    brokers: [fixture.broker.brokers],
    requestTimeout: 300,
    logLevel: kafkajs.logLevel.NOTHING,
    socketFactory({ host, port, onConnect }) {
      const socket = connectSocket({ host, port }, onConnect);
      sockets.push(socket);
      return socket;
    },
  });
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const send = (value: string) => producer.send({ topic, messages: [{ key: "k", value }] });
  await send("one");
  const [first] = sockets;
  const produce = 0;
  const silent = fixture.broker.faults.add({ apiKey: produce, action: "drop-response" });
  await send("two");
  expect(silent.hits).toBe(1);
  expect(first?.destroyed).toBe(true);
  expect(sockets.length).toBe(2);
  expect(await fixture.records(topic)).toEqual(["0:0 k=one", "0:1 k=two"]);
  await producer.disconnect();
});

/** Fetches made within a second of a trickle. */
async function fetchesPerSecond(fetchPaceMs: number): Promise<number> {
  const topic = await fixture.topic(1);
  await using publisher = await openPublisher(fixture);
  await using reading = await read(fixture, topic, { fetchPaceMs: () => fetchPaceMs });
  await until(() => reading.ends.length > 0);
  const before = reading.ends.length;
  const end = performance.now() + 1_000;
  while (performance.now() < end) await publisher.publish([{ topic, key: "k", value: null }]);
  return reading.ends.length - before;
}

test("fetches that bring little keep their distance", async () => {
  expect(await fetchesPerSecond(50)).toBeLessThanOrEqual(22);
});

test("without a pace they follow each other at once", async () => {
  expect(await fetchesPerSecond(0)).toBeGreaterThan(40);
});

test("full fetches follow each other at once whatever the pace: a backlog is not slowed", async () => {
  const topic = await fixture.topic(1);
  await using publisher = await openPublisher(fixture);
  const value = new Uint8Array(100_000);
  for (let i = 0; i < 40; i++) await publisher.publish([{ topic, key: "k", value }]);
  const began = performance.now();
  // 4 MB come in at least 7 fetches of 512 KiB.
  await using reading = await read(fixture, topic, { fetchPaceMs: () => 1_000 });
  await until(() => reading.ends.includes("0@40"));
  expect(performance.now() - began).toBeLessThan(3_000);
});

test("a consumer without the switch gets decoded messages and no empty batches", async () => {
  const topic = await fixture.topic(1);
  await using publisher = await openPublisher(fixture);
  await publisher.publish(
    ["a", "b"].map((text) => ({ topic, key: "k", value: Buffer.from(text) })),
  );
  const consumer = fixture.kafka.consumer({ groupId: topic, maxWaitTimeInMs: 20 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const batches: (string | undefined)[][] = [];
  await consumer.run({
    eachBatch: ({ batch }) => {
      batches.push(batch.messages.map(({ value }) => value?.toString()));
      expect(batch.raw).toBeUndefined();
      return Promise.resolve();
    },
  });
  await until(() => batches.length > 0);
  await sleep(200);
  await consumer.disconnect();
  expect(batches).toEqual([["a", "b"]]);
});

test("a rejoin that fails is tried again even if the group knows of none, and flushed once", async () => {
  // Stale metadata makes kafkajs rejoin a group that is at rest: no heartbeat would ask for it a second time.
  const topic = await fixture.topic(1);
  const [fetch, joinGroup, notLeader] = [1, 11, 6];
  let flushes = 0;
  await using reading = await read(fixture, topic, {
    beforeRejoin: () => {
      if (flushes++ === 0) fixture.broker.faults.add({ apiKey: joinGroup, action: "close-before" });
      return Promise.resolve();
    },
  });
  await until(() => reading.ends.length > 0);
  const action = { errorCode: notLeader };
  fixture.broker.faults.add({ apiKey: fetch, topic, action });
  await until(() => reading.assignments.length > 1);
  reading.ends.length = 0;
  await until(() => reading.ends.length > 0);
  expect(flushes).toBe(1);
});
