import { appendFile, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ConfigResourceTypes } from "kafkajs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startTestBroker } from "./clients.ts";
import { encodeBatch } from "./encode-batch.ts";
import { startKafka } from "../../src/kafka/server.ts";
import { commitRaw, createTopicRaw, fetchRaw, openRawClient, produceRaw } from "./raw-client.ts";

let dataDirectory: string;

beforeEach(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), "kafka-"));
});
afterEach(() => rm(dataDirectory, { recursive: true }));

test("topics, settings, records, log starts, committed offsets and the cluster id survive a restart", async () => {
  let clusterId = "";
  {
    await using broker = await startTestBroker({ dataDirectory });
    const { admin, producer } = broker;
    await admin.createTopics({
      topics: [{ topic: "t", configEntries: [{ name: "cleanup.policy", value: "compact" }] }],
    });
    await producer.send({ topic: "t", messages: ["a", "b", "c"].map((value) => ({ value })) });
    await admin.fetchTopicMetadata({ topics: ["t"] }); // kafkajs deletes only where it knows the leader
    await admin.deleteTopicRecords({ topic: "t", partitions: [{ partition: 0, offset: "1" }] });
    await using raw = await openRawClient(broker.server);
    expect(await commitRaw(raw, "g", "t", 2)).toBe(0);
    clusterId = broker.server.clusterId;
  }
  await using broker = await startTestBroker({ dataDirectory });
  const { admin } = broker;
  expect(broker.server.clusterId).toBe(clusterId);
  expect(await admin.fetchTopicOffsets("t")).toMatchObject([{ low: "1", high: "3" }]);
  const [committed] = await admin.fetchOffsets({ groupId: "g", topics: ["t"] });
  expect(committed?.partitions).toMatchObject([{ partition: 0, offset: "2" }]);
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: "t", configNames: ["cleanup.policy"] }],
  });
  expect(resources[0]?.configEntries[0]).toMatchObject({ configValue: "compact" });
  await broker.producer.send({ topic: "t", messages: [{ value: "d" }] });
  const { values } = await broker.member("reader", ["t"]);
  await expect.poll(() => values).toEqual(["b", "c", "d"]);
});

test("an idempotent producer's duplicate is known after a restart, and its id is not given again", async () => {
  const batch = encodeBatch({ producerId: 1000, producerEpoch: 0, baseSequence: 0 });
  for (const restart of [1, 2]) {
    await using server = await startKafka({ dataDirectory });
    await using client = await openRawClient(server);
    if (restart === 1) await createTopicRaw(client, "t");
    expect(await produceRaw(client, "t", batch)).toMatchObject({ error: 0, baseOffset: 0 });
    const body = await client.request(22, 1, (out) => out.nullableString(null).int32(0));
    body.int32();
    body.int16();
    expect(body.int64()).toBe(restart * 1000);
  }
});

test("a torn tail is cut off, and the log goes on behind the last whole batch", async () => {
  const batch = encodeBatch({ values: ["whole"] });
  const segments = join(dataDirectory, "logs", "t-0");
  for (const restart of [0, 1, 2]) {
    await using server = await startKafka({ dataDirectory });
    await using client = await openRawClient(server);
    if (restart === 0) await createTopicRaw(client, "t");
    expect(await produceRaw(client, "t", batch)).toMatchObject({ error: 0, baseOffset: restart });
    const newest = (await readdir(segments)).sort().at(-1)!;
    await appendFile(join(segments, newest), batch.subarray(0, -1));
  }
});

test("a first write that was torn does not spoil those after it", async () => {
  const segment = join(dataDirectory, "logs", "t-0", "00000000000000000000.log");
  for (const restart of [0, 1, 2]) {
    await using server = await startKafka({ dataDirectory });
    await using client = await openRawClient(server);
    if (restart === 0) {
      await createTopicRaw(client, "t");
      await mkdir(dirname(segment));
      await writeFile(segment, encodeBatch().subarray(0, -4));
    } else {
      expect(await produceRaw(client, "t", encodeBatch())).toMatchObject({
        baseOffset: restart - 1,
      });
    }
  }
});

test("a topic that was deleted and created again has nothing of the first one", async () => {
  for (const restart of [1, 2]) {
    await using server = await startKafka({ dataDirectory });
    await using client = await openRawClient(server);
    if (restart === 1) {
      await createTopicRaw(client, "t");
      await produceRaw(client, "t", encodeBatch());
      await client.request(20, 1, (out) => out.array(["t"], (name) => out.string(name)).int32(0));
      await createTopicRaw(client, "t");
    }
    expect((await fetchRaw(client, { topic: "t", offset: 0 })).highWatermark).toBe(0);
  }
});

test("a new topic does not take up segments somebody left behind", async () => {
  const segments = join(dataDirectory, "logs", "t-0");
  await mkdir(segments, { recursive: true });
  await writeFile(join(segments, "00000000000000000000.log"), encodeBatch());
  await using server = await startKafka({ dataDirectory });
  await using client = await openRawClient(server);
  await createTopicRaw(client, "t");
  expect(await produceRaw(client, "t", encodeBatch())).toMatchObject({ error: 0, baseOffset: 0 });
  expect(await readFile(join(segments, "00000000000000000000.log"))).toHaveLength(
    encodeBatch().length,
  );
});

test("what retention dropped stays dropped, and the files with it", async () => {
  const options = { dataDirectory, retentionBytes: 8000 };
  let logStart = 0;
  {
    await using server = await startKafka(options);
    await using client = await openRawClient(server);
    await createTopicRaw(client, "t");
    for (let count = 0; count < 300; count++) await produceRaw(client, "t", encodeBatch());
    ({ logStart } = await fetchRaw(client, { topic: "t", offset: 299 }));
    expect(logStart).toBeGreaterThan(100);
  }
  await using server = await startKafka(options);
  await using client = await openRawClient(server);
  const fetched = await fetchRaw(client, { topic: "t", offset: logStart });
  expect(fetched).toMatchObject({ error: 0, logStart, highWatermark: 300 });
});

test("a second server on the same directory is refused", async () => {
  await using _server = await startKafka({ dataDirectory });
  await expect(startKafka({ dataDirectory })).rejects.toMatchObject({ code: "ELOCKED" });
});
