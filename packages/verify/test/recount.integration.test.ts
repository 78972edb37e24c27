import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { adEventSchema } from "@adstream/contracts/ad-event";
import { valueSubject } from "@adstream/contracts/topics";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { frame } from "@adstream/kafka/wire-format";
import { Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kafkaClient } from "../src/raw-topic.ts";
import { optionsFrom, recount, type Recount } from "../src/recount.ts";

const resources = new AsyncDisposableStack();
const noon = Date.UTC(2026, 0, 1, 12);
let environment: Readonly<Record<string, string>>;
let recounted: Recount;

beforeAll(async () => {
  environment = await startServers();
  await publishEvents();
  recounted = await recount(optionsFrom(environment));
});

afterAll(() => resources.disposeAsync());

/** The embedded servers as a process of their own. */
async function startServers(): Promise<Record<string, string>> {
  const program = join(import.meta.dirname, "../../devstack/src/main.ts");
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
    duplicate: 0,
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
  const kafka = kafkaClient(options.kafka);
  const admin = resources.adopt(kafka.admin(), (client) => client.disconnect());
  await admin.createTopics({ topics: [{ topic: "empty", numPartitions: 2 }] });
  expect(await recount(options)).toMatchObject({ in: 0, documents: new Map() });
});

function figures(count: number): Record<string, number> {
  return { count, total_clicks: count, total_views: count * 2, total_cost: count * 0.5 };
}
