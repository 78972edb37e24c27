import { setTimeout as sleep } from "node:timers/promises";

import { type AdStats, adStatsSchema } from "@adstream/contracts/ad-stats";
import { deadLetterHeaders } from "@adstream/contracts/dead-letter";
import { type Devstack, startDevstack } from "@adstream/devstack/start-devstack";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { connectKafka, type KafkaConnection } from "@adstream/kafka/connection";
import { openPublisher, type Publisher } from "@adstream/kafka/publisher";
import { openSchemaRegistry } from "@adstream/kafka/schema-registry";
import { createTopics, deleteTopics } from "@adstream/kafka/topics";
import { frame } from "@adstream/kafka/wire-format";
import { openLog } from "@adstream/service/log";
import { MongoClient } from "mongodb";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { mergeResults, resultDocumentId } from "../src/merge.ts";
import { adResult } from "./fakes/ad-results.ts";
import { metricValue, type RunningSink, startSink } from "./fakes/sink-process.ts";

const resources = new AsyncDisposableStack();
const log = openLog({ name: "test", level: "silent" });
const { encode } = avroCodec(adStatsSchema, { bigintFields: ["version"] });
const patience = { timeout: 20_000, interval: 20 };
let stack: Devstack;
let publisher: Publisher;
let mongo: MongoClient;
let schemaId: number;
let kafka: KafkaConnection;

beforeAll(async () => {
  stack = resources.use(await startDevstack());
  const { KAFKA_BROKERS, SCHEMA_REGISTRY_URL, MONGODB_URL } = stack.environment;
  kafka = connectKafka(
    { brokers: [KAFKA_BROKERS], clientId: "test", securityProtocol: "PLAINTEXT" },
    log,
  );
  const topics = [
    "plain",
    "junk",
    "junk.dlq",
    "refused",
    "refused.dlq",
    "remade",
    "replaced",
    "rejoined",
    "outage",
    "retention",
  ];
  await createTopics(
    kafka,
    topics.map((topic) => ({ topic, partitions: 3 })),
  );
  publisher = resources.use(await openPublisher({ kafka, log }));
  const registry = openSchemaRegistry({ url: SCHEMA_REGISTRY_URL, log });
  schemaId = await registry.register("results-value", adStatsSchema);
  mongo = resources.adopt(new MongoClient(MONGODB_URL), (client) => client.close());
});

afterAll(() => resources.disposeAsync());

function sinkOf(topic: string, env: Readonly<Record<string, string>> = {}): RunningSink {
  const sink = startSink({
    ...stack.environment,
    RESULTS_TOPIC: topic,
    SINK_GROUP: `sink-${topic}`,
    MONGODB_COLLECTION: topic,
    ...env,
  });
  resources.defer(() => sink.stop().catch(() => {}));
  return sink;
}

async function publish(topic: string, results: readonly AdStats[]): Promise<void> {
  await publisher.publish(
    results.map((result) => ({
      topic,
      key: resultDocumentId(result),
      value: frame(schemaId, encode(result)),
    })),
  );
}

type Letter = { readonly value: Buffer | null; readonly headers: Record<string, string> };

/** The first `count` records of a topic whose records are in one partition. */
async function readLetters(topic: string, count: number): Promise<Letter[]> {
  const consumer = kafka.consumer({ groupId: `letters-${topic}` });
  const letters: Letter[] = [];
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    async eachMessage({ message: { value, headers = {} } }) {
      const texts = Object.entries(headers).map(([name, text]) => [name, String(text)]);
      letters.push({ value, headers: Object.fromEntries(texts) });
    },
  });
  await vi.waitFor(() => expect(letters.length).toBeGreaterThanOrEqual(count), patience);
  await consumer.disconnect();
  return letters;
}

async function figures(topic: string): Promise<Map<string, number[]>> {
  const documents = await mongo.db("Advertisement").collection(topic).find().toArray();
  return new Map(
    documents.map((document) => [
      String(document._id),
      [document["count"], document["total_cost"]],
    ]),
  );
}

/** The same by merging everything at once. */
function expectedFigures(results: readonly AdStats[]): Map<string, number[]> {
  const groups = Map.groupBy(results, (result) => resultDocumentId(result));
  return new Map(
    [...groups].map(([id, group]) => {
      const merged = mergeResults(undefined, group, new Date(0));
      return [id, [merged?.count ?? 0, Number(merged?.["total_cost"] ?? 0)]];
    }),
  );
}

/** For every ad `rounds` revisions of two slots, in another order than their versions. */
function someResults(ads: number, rounds: number): AdStats[] {
  return Array.from({ length: ads * rounds * 2 }, (_, index) => {
    const round = Math.floor(index / ads);
    const version = BigInt(2 + ((Math.floor(round / 2) * 3) % rounds));
    return adResult({ ad_id: `ad-${index % ads}`, slot: round % 2, version });
  });
}

test("results become documents, over restarts and repeats", async () => {
  const results = someResults(50, 5);
  await publish("plain", results.slice(0, 300));
  const first = sinkOf("plain");
  await vi.waitFor(async () => expect((await figures("plain")).size).toBe(50), patience);
  await first.stop();
  await publish("plain", [...results.slice(250), ...results.slice(0, 20)]);
  const second = sinkOf("plain");
  await vi.waitFor(
    async () => expect(await figures("plain")).toEqual(expectedFigures(results)),
    patience,
  );
  await vi.waitFor(() => expect(second.statuses.at(-1)).toMatchObject({ lagRecords: 0 }), patience);
  await second.stop();
  expect(
    await metricValue(first.metrics, "adstream_sink_documents_total", { result: "inserted" }),
  ).toBe(50);
  expect(await metricValue(second.metrics, "adstream_source_lag_records")).toBe(0);
});

test("records that are no results are counted, named, and become dead letters", async () => {
  const good = adResult({ ad_id: "good" });
  const framed = frame(schemaId, encode(good));
  const junk = [
    null,
    Buffer.from([0, 0]),
    Buffer.concat([Buffer.from([7]), framed.subarray(1)]),
    framed.subarray(0, framed.length - 3),
    Buffer.concat([framed, Buffer.from([1])]),
    frame(schemaId, encode({ ...good, count: -1 })),
    frame(schemaId, encode({ ...good, ad_id: "" })),
  ];
  await publisher.publish(junk.map((value) => ({ topic: "junk", key: "one", value })));
  await publish("junk", [good]);
  const sink = sinkOf("junk");
  await vi.waitFor(
    async () => expect(await figures("junk")).toEqual(expectedFigures([good])),
    patience,
  );
  // The letters go out after the documents.
  const letterCount = (): Promise<number> =>
    metricValue(sink.metrics, "adstream_sink_dead_letters_total");
  await vi.waitFor(async () => expect(await letterCount()).toBe(7), patience);
  expect(await metricValue(sink.metrics, "adstream_sink_undecodable_records_total")).toBe(7);
  const named = sink.lines.filter(({ msg }) => msg === "record set aside");
  expect(named.map(({ offset }) => offset)).toEqual(["0", "1", "2", "3", "4", "5", "6"]);
  expect(named[5]).toMatchObject({ topic: "junk", reason: "count: is negative" });
  const letters = await readLetters("junk.dlq", 7);
  expect(letters.map(({ value }) => value)).toEqual(junk);
  expect(letters[5]?.headers).toMatchObject({
    [deadLetterHeaders.topic]: "junk",
    [deadLetterHeaders.offset]: "5",
    [deadLetterHeaders.schemaId]: String(schemaId),
    [deadLetterHeaders.reason]: "count: is negative",
  });
});

test("a document that MongoDB refuses becomes a dead letter, the others go on, and no position waits for it", async () => {
  const collection = mongo.db("Advertisement").collection("refused");
  await collection.createIndex({ total_cost: 1 }, { unique: true });
  const [first, same, other] = [
    adResult({ ad_id: "first", total_cost: 1 }),
    adResult({ ad_id: "same", total_cost: 1 }),
    adResult({ ad_id: "other", total_cost: 2 }),
  ];
  await publish("refused", [first]);
  const sink = sinkOf("refused");
  await vi.waitFor(async () => expect((await figures("refused")).size).toBe(1), patience);
  await publish("refused", [same, other]);
  const [letter] = await readLetters("refused.dlq", 1);
  expect(letter?.value).toEqual(frame(schemaId, encode(same)));
  expect(letter?.headers?.[deadLetterHeaders.reason]).toMatch(/unique index/);
  await vi.waitFor(
    async () => expect(await figures("refused")).toEqual(expectedFigures([first, other])),
    patience,
  );
  await vi.waitFor(() => expect(sink.statuses.at(-1)).toMatchObject({ lagRecords: 0 }), patience);
  await sink.stop();
});

/** Makes the topic anew, with other records, and more of them than there were: every offset looks valid. */
async function makeAgain(topic: string, results: readonly AdStats[]): Promise<void> {
  await deleteTopics(kafka, [topic]);
  await createTopics(kafka, [{ topic, partitions: 3 }]);
  await publish(topic, results);
}

test("a results topic made again while the sink is away is read from its start", async () => {
  await publish("remade", someResults(5, 2));
  const sink = sinkOf("remade");
  await vi.waitFor(async () => expect((await figures("remade")).size).toBe(5), patience);
  await sink.stop();
  // Kafka forgets the group's offsets with the topic.
  await makeAgain("remade", someResults(7, 4));
  const restarted = sinkOf("remade");
  await vi.waitFor(async () => expect((await figures("remade")).size).toBe(7), patience);
  await restarted.stop();
});

test("a results topic made again under the sink ends it, and is read from its start by the next", async () => {
  await publish("replaced", someResults(5, 2));
  const sink = sinkOf("replaced");
  await vi.waitFor(async () => expect((await figures("replaced")).size).toBe(5), patience);
  await makeAgain("replaced", someResults(7, 40));
  await expect(sink.ended).rejects.toMatchObject({ code: "LOG_REPLACED", exitCode: 78 });
  const next = sinkOf("replaced");
  await vi.waitFor(async () => expect((await figures("replaced")).size).toBe(7), patience);
  await next.stop();
});

test("a results topic made again under the sink ends it, also where it joins a group that has no offsets any more", async () => {
  await publish("rejoined", someResults(5, 2));
  const sink = sinkOf("rejoined");
  await vi.waitFor(async () => expect((await figures("rejoined")).size).toBe(5), patience);
  await vi.waitFor(async () => expect(await committed("rejoined")).toHaveLength(3), patience);
  // What it asks for comes to the broker when all is done, and its own offsets are gone with the topic.
  const [fetch, notLeader] = [1, 6];
  const { faults } = stack.kafka;
  const held = faults.add({ apiKey: fetch, topic: "rejoined", action: { delayMs: 4_000 } });
  faults.add({ apiKey: fetch, topic: "rejoined", action: { errorCode: notLeader } });
  await vi.waitFor(() => expect(held.hits).toBe(1), patience);
  await makeAgain("rejoined", someResults(7, 40));
  await expect(sink.ended).rejects.toMatchObject({ code: "LOG_REPLACED", exitCode: 78 });
  expect((await figures("rejoined")).size).toBe(5);
});

/** Offsets of the sink's group that are committed. */
async function committed(topic: string): Promise<string[]> {
  const admin = kafka.admin();
  await admin.connect();
  const [found] = await admin.fetchOffsets({ groupId: `sink-${topic}`, topics: [topic] });
  await admin.disconnect();
  return (found?.partitions ?? []).map(({ offset }) => offset).filter((offset) => offset !== "-1");
}

test("results that wait for MongoDB for half of their retention are warned of, and measured", async () => {
  const retention = { "retention.ms": "6000" };
  await createTopics(kafka, [{ topic: "aging", partitions: 1, config: retention }]);
  const sink = sinkOf("aging");
  const results = someResults(2, 1);
  await publish("aging", results);
  await vi.waitFor(async () => expect((await figures("aging")).size).toBe(2), patience);
  const used = (): Promise<number> =>
    metricValue(sink.metrics, "adstream_sink_retention_used_ratio", { partition: "0" });
  stack.mongo.freeze();
  try {
    await publish("aging", someResults(3, 1));
    await vi.waitFor(async () => expect(await used()).toBeGreaterThanOrEqual(0.5), patience);
    const warnings = sink.lines.filter(({ msg }) => String(msg).includes("their retention"));
    expect(warnings).toMatchObject([{ level: 40, topic: "aging", partition: 0 }]);
  } finally {
    stack.mongo.thaw();
  }
  await vi.waitFor(async () => expect(await used()).toBe(0), patience);
  await sink.stop();
});

test("an outage of MongoDB is waited out without leaving the group", async () => {
  const limits = ["socketTimeoutMS", "connectTimeoutMS", "serverSelectionTimeoutMS"];
  const url = [stack.environment.MONGODB_URL, ...limits.map((name) => `${name}=300`)].join("&");
  const sink = sinkOf("outage", { MONGODB_URL: url, KAFKA_SESSION_TIMEOUT: "6s" });
  const results = someResults(20, 4);
  await publish("outage", results.slice(0, 60));
  await vi.waitFor(async () => expect((await figures("outage")).size).toBe(20), patience);
  stack.mongo.freeze();
  await publish("outage", results.slice(60));
  await vi.waitFor(
    () => expect(sink.lines.map(({ msg }) => msg)).toContain("server does not answer"),
    patience,
  );
  await sleep(7_000); // Longer than the session, of which brokers want 6 s at least.
  stack.mongo.thaw();
  await vi.waitFor(
    async () => expect(await figures("outage")).toEqual(expectedFigures(results)),
    patience,
  );
  await vi.waitFor(
    () => expect(sink.lines.map(({ msg }) => msg)).toContain("MongoDB answers again"),
    patience,
  );
  expect(sink.lines.filter(({ msg }) => msg === "partitions assigned")).toHaveLength(1);
  await sink.stop();
});
