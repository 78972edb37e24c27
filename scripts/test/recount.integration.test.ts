import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { adEventSchema } from "@adstream/contracts/ad-event";
import { valueSubject } from "@adstream/contracts/topics";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { frame } from "@adstream/kafka/wire-format";
import { Kafka, logLevel } from "kafkajs";
import { type Document, MongoClient } from "mongodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compareWithMongo, optionsFrom, recount, type Recount } from "../recount.ts";

const resources = new AsyncDisposableStack();
const noon = Date.UTC(2026, 0, 1, 12);
let environment: Readonly<Record<string, string>>;
let mongo: MongoClient;
let recounted: Recount;

beforeAll(async () => {
  environment = await startServers();
  const url = environment["MONGODB_URL"] ?? "";
  mongo = resources.adopt(new MongoClient(url), (client) => client.close());
  await publishEvents();
  recounted = await recount(optionsFrom(environment));
});

afterAll(() => resources.disposeAsync());

/** The embedded servers as a process of their own. */
async function startServers(): Promise<Record<string, string>> {
  const program = join(import.meta.dirname, "../../packages/devstack/src/main.ts");
  const child = resources.adopt(fork(program, { silent: true }), async (process) => {
    const gone = once(process, "exit");
    process.disconnect();
    await gone;
  });
  const [message] = await once(child, "message");
  return message.environment;
}

/** Ad "a" in two partitions, ad "é" in one, one event late for everything, four records that are none. */
async function publishEvents(): Promise<void> {
  const { KAFKA_BROKERS = "", SCHEMA_REGISTRY_URL } = environment;
  const answer = await fetch(
    `${SCHEMA_REGISTRY_URL}/subjects/${valueSubject("ad_topic")}/versions`,
    {
      method: "POST",
      headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
      body: JSON.stringify({ schema: adEventSchema }),
    },
  );
  const id = Number(Reflect.get(Object(await answer.json()), "id"));
  const { encode } = avroCodec(adEventSchema);
  const message = (seconds: number, adId: string) => {
    const time = noon + seconds * 1_000;
    const event = { ad_id: adId, timestamp: time, clicks: 1, views: 2, cost: 0.5, event_id: null };
    return { value: frame(id, encode(event)), timestamp: String(time) };
  };
  const good = message(200, "a").value;
  const brokenText = Buffer.from(good);
  brokenText.set([0xff], brokenText.indexOf("a"));
  const junk = [null, good.subarray(0, 9), frame(id + 1, Buffer.from("?")), brokenText];
  const kafka = new Kafka({ brokers: [KAFKA_BROKERS], logLevel: logLevel.NOTHING });
  const admin = resources.adopt(kafka.admin(), (client) => client.disconnect());
  await admin.createTopics({ topics: [{ topic: "ad_topic", numPartitions: 3 }] });
  const producer = resources.adopt(kafka.producer(), (client) => client.disconnect());
  await producer.connect();
  const on = (partition: number, messages: { value: Buffer | null; timestamp?: string }[]) =>
    producer.send({ topic: "ad_topic", messages: messages.map((one) => ({ ...one, partition })) });
  await on(0, [message(10, "a"), message(200, "a"), message(20, "a")]);
  await on(2, [message(10, "a"), message(10, "é"), ...junk.map((value) => ({ value }))]);
}

test("the raw topic is counted over all its partitions", () => {
  expect({ ...recounted, documents: Object.fromEntries(recounted.documents) }).toEqual({
    in: 9,
    counted: 4,
    late: 1,
    dead: 4,
    documents: {
      "2026-01-01T11:59:30.000Z/a": figures(2),
      "2026-01-01T12:00:00.000Z/a": figures(2),
      "2026-01-01T11:59:30.000Z/é": figures(1),
      "2026-01-01T12:00:00.000Z/é": figures(1),
      "2026-01-01T12:02:30.000Z/a": figures(1),
      "2026-01-01T12:03:00.000Z/a": figures(1),
    },
  });
});

test("an empty topic has no documents", async () => {
  const options = optionsFrom({ ...environment, EVENTS_TOPIC: "empty" });
  const kafka = new Kafka({ ...options.kafka, logLevel: logLevel.NOTHING });
  const admin = resources.adopt(kafka.admin(), (client) => client.disconnect());
  await admin.createTopics({ topics: [{ topic: "empty", numPartitions: 2 }] });
  expect(await recount(options)).toMatchObject({ in: 0, documents: new Map() });
});

describe("the comparison with MongoDB", () => {
  const all = { documents: 6, missing: 0, extra: 0, differing: 0, different: [] };

  test("finds nothing where there is nothing", async () => {
    expect(await compareStored("right", () => {})).toEqual(all);
  });

  test.each<[string, (documents: Document[]) => void, object]>([
    ["a missing document", (documents) => documents.pop(), { missing: 1, documents: 5 }],
    ["one too many", (documents) => documents.push({ ...documents[0], _id: "x" }), { extra: 1 }],
    ["a wrong count", (documents) => change(documents, { count: 3 }), { differing: 1 }],
    ["a wrong average", (documents) => change(documents, { avg_cost: 0.6 }), { differing: 1 }],
    ["a lost figure", (documents) => change(documents, { total_views: null }), { differing: 1 }],
    [
      "a cost beyond rounding",
      (documents) => change(documents, { total_cost: 1.00000001 }),
      { differing: 1 },
    ],
  ])("finds %s", async (title, spoil, expected) => {
    const comparison = await compareStored(title, spoil);
    expect(comparison).toMatchObject(expected);
    expect(comparison.different).toHaveLength(1);
  });

  test("takes a cost that was added in another order", async () => {
    const rounded = (documents: Document[]) => change(documents, { total_cost: 1 + 1e-12 });
    expect(await compareStored("rounding", rounded)).toEqual(all);
  });
});

function figures(count: number): Record<string, number> {
  return { count, total_clicks: count, total_views: count * 2, total_cost: count * 0.5 };
}

function change(documents: Document[], fields: Document): void {
  Object.assign(documents[0] ?? {}, fields);
}

/** Stores the documents that are right, spoiled, and compares. */
async function compareStored(
  name: string,
  spoil: (documents: Document[]) => void,
): ReturnType<typeof compareWithMongo> {
  const documents: Document[] = [...recounted.documents].map(([_id, totals]) => ({
    _id,
    ...totals,
    avg_clicks: 1,
    avg_views: 2,
    avg_cost: 0.5,
    avg_cost_per_view: 0.25,
  }));
  spoil(documents);
  const collection = mongo.db("recount").collection(name);
  await collection.insertMany(documents);
  return compareWithMongo(recounted, collection);
}
