import { startKafka } from "@adstream/devstack/kafka/server";
import { Kafka, logLevel, type Producer } from "kafkajs";
import { expect, test } from "vitest";
import { apiKeys } from "../../src/proxy/kafka-frames.ts";
import { openKafkaProxy, type KafkaProxy } from "../../src/proxy/kafka-proxy.ts";

const topic = "proxied";

type Fixture = AsyncDisposable & {
  readonly proxy: KafkaProxy;
  readonly producer: Producer;
  readonly stored: () => Promise<number>;
};

async function open(): Promise<Fixture> {
  await using opening = new AsyncDisposableStack();
  const broker = opening.use(await startKafka({}));
  const proxy = opening.use(await openKafkaProxy(broker.brokers));
  const client = (brokers: string): Kafka =>
    new Kafka({
      brokers: brokers.split(","),
      logLevel: logLevel.NOTHING,
      requestTimeout: 500,
      enforceRequestTimeout: true,
      retry: { initialRetryTime: 20, retries: 3 },
    });
  const admin = client(broker.brokers).admin();
  await admin.connect();
  opening.defer(() => admin.disconnect());
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] });
  const producer = client(proxy.brokers).producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  opening.defer(() => producer.disconnect());
  const resources = opening.move();
  return {
    proxy,
    producer,
    async stored() {
      const [offsets] = await admin.fetchTopicOffsets(topic);
      return Number(offsets?.high);
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

const send = ({ producer }: Fixture): Promise<unknown> =>
  producer.send({ topic, messages: [{ key: "k", value: "v" }] });

test("clients that learn a broker's address come through the proxy, for groups as well", async () => {
  await using fixture = await open();
  await send(fixture);
  const { proxy } = fixture;
  proxy.set({ refusing: true });
  expect(proxy.cut("reset")).toBeGreaterThan(0);
  await expect(send(fixture)).rejects.toThrow();
  expect(await fixture.stored()).toBe(1);
});

test.each([
  ["a lost response", { action: "drop" }],
  ["a lost response and connection", { action: { passBytes: 0, ending: "close" } }],
  ["a late response", { action: { delayMs: 700 } }],
] as const)("after %s the client sends again, and the log holds one record", async (_, fault) => {
  await using fixture = await open();
  await send(fixture);
  const { hits } = await hit(fixture, { apiKey: apiKeys.produce, ...fault });
  expect(hits).toBe(1);
  expect(await fixture.stored()).toBe(2);
});

test("a request that breaks off never happened", async () => {
  await using fixture = await open();
  await send(fixture);
  const action = { passBytes: 30, ending: "close" } as const;
  await hit(fixture, { apiKey: apiKeys.produce, direction: "request", action });
  expect(await fixture.stored()).toBe(2);
});

test("a response that breaks off poisons kafkajs for good: it puts the next connection's bytes behind it", async () => {
  await using fixture = await open();
  await send(fixture);
  const fault = { apiKey: apiKeys.produce, action: { passBytes: 9, ending: "reset" } } as const;
  await expect(hit(fixture, fault)).rejects.toThrow();
  expect(await fixture.stored()).toBe(2);
});

test("a request over two connections reaches the broker twice", async () => {
  await using fixture = await open();
  const { proxy, producer } = fixture;
  const duplicate = { apiKey: apiKeys.produce, direction: "request", action: "duplicate" } as const;
  await hit(fixture, duplicate);
  // The broker knows the sequence number: it is stored once.
  expect(await fixture.stored()).toBe(1);
  const other = { skip: 1, ...duplicate };
  const fault = proxy.add(other);
  await producer.send({ topic, messages: [{ key: "k", value: "v" }] });
  expect(fault.hits).toBe(0);
  await send(fixture);
  expect(fault.hits).toBe(1);
});

async function hit(
  fixture: Fixture,
  fault: Parameters<KafkaProxy["add"]>[0],
): Promise<{ hits: number }> {
  const handle = fixture.proxy.add(fault);
  await send(fixture);
  return { hits: handle.hits };
}
