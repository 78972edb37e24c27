import { setTimeout as sleep } from "node:timers/promises";

import { type AdStats, adStatsSchema } from "@adstream/contracts/ad-stats";
import { type Devstack, startDevstack } from "@adstream/devstack/start-devstack";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { connectKafka } from "@adstream/kafka/connection";
import { openPublisher, type Publisher } from "@adstream/kafka/publisher";
import { openSchemaRegistry } from "@adstream/kafka/schema-registry";
import { createTopics } from "@adstream/kafka/topics";
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

beforeAll(async () => {
  stack = resources.use(await startDevstack());
  const { KAFKA_BROKERS, SCHEMA_REGISTRY_URL, MONGODB_URL } = stack.environment;
  const kafka = connectKafka(
    { brokers: [KAFKA_BROKERS], clientId: "test", securityProtocol: "PLAINTEXT" },
    log,
  );
  const topics = ["plain", "junk", "outage", "retention"];
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
  const groups = Map.groupBy(results, resultDocumentId);
  return new Map(
    [...groups].map(([id, group]) => {
      const merged = mergeResults(undefined, group, new Date(0));
      return [id, [merged?.count ?? 0, merged?.total_cost ?? 0]];
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

test("records that are no results are counted, named and left out", async () => {
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
  expect(await metricValue(sink.metrics, "adstream_sink_undecodable_records_total")).toBe(7);
  const named = sink.lines.filter(({ msg }) => msg === "record is no result, left out");
  expect(named.map(({ offset }) => offset)).toEqual(["0", "1", "2", "3", "4", "5", "6"]);
  expect(named[5]).toMatchObject({ topic: "junk", reason: "count: is negative" });
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
