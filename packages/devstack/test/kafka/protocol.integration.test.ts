import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startKafka } from "../../src/kafka/server.ts";
import type { KafkaServer } from "../../src/kafka/server.ts";
import { encodeBatch } from "./encode-batch.ts";
import {
  createTopicRaw,
  fetchRaw,
  openRawClient,
  produceRaw,
  readFetched,
  readProduced,
  writeFetch,
  writeProduce,
} from "./raw-client.ts";
import type { Fetched, FetchOptions, RawClient } from "./raw-client.ts";

const FETCH = 1;
const METADATA = 3;
const API_VERSIONS = 18;
const INIT_PRODUCER_ID = 22;

let server: KafkaServer;
let client: RawClient;
let topics = 0;

beforeAll(async () => {
  server = await startKafka();
  client = await openRawClient(server);
});
afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await server.close();
});

async function createTopic(configs: Record<string, string> = {}): Promise<string> {
  const topic = `topic-${++topics}`;
  expect(await createTopicRaw(client, topic, configs)).toBe(0);
  return topic;
}

async function newProducer(): Promise<{ producerId: number; producerEpoch: number }> {
  const body = await client.request(INIT_PRODUCER_ID, 1, (out) =>
    out.nullableString(null).int32(0),
  );
  body.int32();
  expect(body.int16()).toBe(0);
  return { producerId: body.int64(), producerEpoch: body.int16() };
}

describe("ApiVersions", () => {
  test.each([3, 4, 99])(
    "version %i is answered in the body of version 0 with error 35 and the list",
    async (version) => {
      const body = await client.request(API_VERSIONS, version, () => {});
      expect(body.int16()).toBe(35);
      const keys = body.array(() => [body.int16(), body.int16(), body.int16()]);
      expect(keys).toContainEqual([API_VERSIONS, 0, 2]);
      expect(keys).toContainEqual([0, 3, 7]);
    },
  );

  test("a version that is not in the list closes the connection", async () => {
    const warnings: string[] = [];
    await using quiet = await startKafka({
      log: (_message, { error }) => warnings.push(String(error)),
    });
    await using other = await openRawClient(quiet);
    other.send(METADATA, 12, () => {});
    expect(await other.receive()).toBeUndefined();
    expect(warnings).toEqual(["RangeError: api key 3 version 12 is not supported"]);
  });
});

describe("responses", () => {
  test("come in the order of the requests, also behind a long poll", async () => {
    const topic = await createTopic();
    const sent = [
      client.send(1, 11, (out) => writeFetch(out, { topic, offset: 0, maxWaitMs: 100 })),
      client.send(API_VERSIONS, 0, () => {}),
      client.send(METADATA, 1, (out) => out.array([], () => {})),
    ];
    const received = [await client.receive(), await client.receive(), await client.receive()];
    expect(received.map((response) => response?.correlationId)).toEqual(sent);
  });

  test("acks 0 has none", async () => {
    const topic = await createTopic();
    client.send(0, 7, (out) => writeProduce(out, { topic, batch: encodeBatch(), acks: 0 }));
    const next = client.send(API_VERSIONS, 0, () => {});
    expect((await client.receive())?.correlationId).toBe(next);
    expect((await fetchRaw(client, { topic, offset: 0 })).highWatermark).toBe(1);
  });
});

describe("an idempotent producer", () => {
  test("gets the same offset for the same batch, and the log holds it once", async () => {
    const topic = await createTopic();
    const producer = await newProducer();
    const batch = encodeBatch({ ...producer, values: ["a", "b"], baseSequence: 0 });
    const next = encodeBatch({ ...producer, baseSequence: 2 });
    expect(await produceRaw(client, topic, batch)).toMatchObject({ error: 0, baseOffset: 0 });
    expect(await produceRaw(client, topic, next)).toMatchObject({ error: 0, baseOffset: 2 });
    expect(await produceRaw(client, topic, batch)).toMatchObject({ error: 0, baseOffset: 0 });
    expect((await fetchRaw(client, { topic, offset: 0 })).highWatermark).toBe(3);
  });

  test("is refused a gap (45) and an old epoch (47)", async () => {
    const topic = await createTopic();
    const { producerId } = await newProducer();
    const send = (producerEpoch: number, baseSequence: number) =>
      produceRaw(client, topic, encodeBatch({ producerId, producerEpoch, baseSequence }));
    expect((await send(0, 0)).error).toBe(0);
    expect((await send(0, 2)).error).toBe(45);
    expect((await send(1, 0)).error).toBe(0);
    expect((await send(0, 1)).error).toBe(47);
  });

  test("gets an id nobody has had", async () => {
    const [one, other] = [await newProducer(), await newProducer()];
    expect(one.producerId).not.toBe(other.producerId);
  });
});

describe("produce", () => {
  test("a damaged batch is refused with 2", async () => {
    const topic = await createTopic();
    const batch = encodeBatch();
    batch.writeUInt8(batch.readUInt8(65) ^ 1, 65);
    expect((await produceRaw(client, topic, batch)).error).toBe(2);
  });

  test("CreateTime more than an hour ahead is refused with 32", async () => {
    const topic = await createTopic();
    const batch = encodeBatch({ timestampsMs: [Date.now() + 7_200_000] });
    expect((await produceRaw(client, topic, batch)).error).toBe(32);
  });

  test("LogAppendTime is told to the producer and stands in the stored batch", async () => {
    const topic = await createTopic({ "message.timestamp.type": "LogAppendTime" });
    const { appendTimeMs } = await produceRaw(client, topic, encodeBatch({ timestampsMs: [1000] }));
    const { records } = await fetchRaw(client, { topic, offset: 0 });
    expect(Math.abs(Date.now() - appendTimeMs)).toBeLessThan(60_000);
    expect(Number(records.readBigInt64BE(35))).toBe(appendTimeMs);
    expect(records.readInt16BE(21) & 8).toBe(8);
  });
});

/** Starts a fetch on a connection of its own; resolves when the broker has looked at it. */
async function startWaiting(
  waiting: RawClient,
  options: FetchOptions,
): Promise<Promise<Fetched>[]> {
  const seen = server.faults.add({ apiKey: FETCH, topic: options.topic, action: { delayMs: 0 } });
  const fetched = fetchRaw(waiting, { ...options, maxWaitMs: 60_000 });
  await expect.poll(() => seen.hits).toBe(1);
  return [fetched];
}

describe("fetch", () => {
  test("waits for the first record and is woken by it", async () => {
    const topic = await createTopic();
    await using waiting = await openRawClient(server);
    const [fetched] = await startWaiting(waiting, { topic, offset: 0 });
    await produceRaw(client, topic, encodeBatch({ values: ["woken"] }));
    expect(String((await fetched!).records)).toContain("woken");
  });

  test("waits for minBytes over several appends", async () => {
    const topic = await createTopic();
    const batch = encodeBatch();
    await using waiting = await openRawClient(server);
    const minBytes = batch.length * 3;
    const [fetched] = await startWaiting(waiting, { topic, offset: 0, minBytes });
    for (let count = 0; count < 3; count++) await produceRaw(client, topic, batch);
    expect((await fetched!).records).toHaveLength(minBytes);
  });

  test("answers empty when the time is up", async () => {
    const topic = await createTopic();
    const fetched = await fetchRaw(client, { topic, offset: 0, maxWaitMs: 20 });
    expect(fetched).toMatchObject({ error: 0, highWatermark: 0 });
    expect(fetched.records).toHaveLength(0);
  });

  test("ends with 3 when the topic is deleted meanwhile", async () => {
    const topic = await createTopic();
    await using waiting = await openRawClient(server);
    const [fetched] = await startWaiting(waiting, { topic, offset: 0 });
    await client.request(20, 1, (out) =>
      out.array([topic], (name) => out.string(name)).int32(1000),
    );
    expect((await fetched!).error).toBe(3);
  });

  test.each([-1, 2])(
    "offset %i, outside of the log, is answered at once with 1",
    async (offset) => {
      const topic = await createTopic();
      await produceRaw(client, topic, encodeBatch());
      expect((await fetchRaw(client, { topic, offset, maxWaitMs: 60_000 })).error).toBe(1);
    },
  );

  test("gives the whole first batch to a consumer whose limit is smaller", async () => {
    const topic = await createTopic();
    const batch = encodeBatch({ values: ["a", "b"] });
    await produceRaw(client, topic, batch);
    await produceRaw(client, topic, batch);
    const { records } = await fetchRaw(client, { topic, offset: 1, maxBytes: 10 });
    expect(records).toHaveLength(batch.length);
  });
});

describe("a frozen server", () => {
  test("answers nothing, and everything once it is thawed", async () => {
    await using freezing = await startKafka();
    await using frozen = await openRawClient(freezing);
    await createTopicRaw(frozen, "t");
    freezing.freeze();
    frozen.send(0, 7, (out) => writeProduce(out, { topic: "t", batch: encodeBatch(), acks: -1 }));
    frozen.send(1, 11, (out) => writeFetch(out, { topic: "t", offset: 0 }));
    const produced = frozen.receive();
    const first = await Promise.race([produced, new Promise((resolve) => setTimeout(resolve, 50))]);
    expect(first).toBeUndefined();
    freezing.thaw();
    expect(readProduced((await produced)!.body)).toMatchObject({ error: 0, baseOffset: 0 });
    expect(readFetched((await frozen.receive())!.body).highWatermark).toBe(1);
  });
});
