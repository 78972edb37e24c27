import { randomUUID } from "node:crypto";
import { type AdInteraction, adInteractionSchema } from "@adstream/contracts/ad-interaction";
import { deadLetterHeaders } from "@adstream/contracts/dead-letter";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { frame } from "@adstream/kafka/wire-format";
import type { Message } from "kafkajs";
import { type Collection, type Document, Long } from "mongodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recount, optionsFrom } from "../src/recount.ts";
import { runOnce, readVerifyConfig } from "../src/run-once.ts";
import { startServers, type VerifyServers } from "./verify-servers.ts";

const noon = Date.UTC(2026, 0, 1, 12);
const resources = new AsyncDisposableStack();
let servers: VerifyServers;

beforeAll(async () => {
  servers = resources.use(await startServers("events", adInteractionSchema));
});

afterAll(() => resources.disposeAsync());

/** Of campaign "a"; sent 5 ms after it happened. */
function interaction(seconds: number, type: string): AdInteraction {
  return Object({
    user_id: "u",
    page_id: "p",
    ad_id: "x",
    ad_type: "image",
    event_type: type,
    event_time_ns: BigInt(noon + seconds * 1_000) * 1_000_000n + 999_999n,
    window_id: 0,
    ip_address: "10.0.0.1",
    campaign_id: "a",
    produce_time: noon + seconds * 1_000 + 5,
  });
}

const { encode } = avroCodec(adInteractionSchema, { bigintFields: ["event_time_ns"] });

function valueOf(event: AdInteraction, format: string): Buffer {
  if (format === "avro") return frame(servers.schemaId, encode(event));
  const { event_time_ns, ...rest } = event;
  return Buffer.from(`{"event_time_ns":${event_time_ns},${JSON.stringify(rest).slice(1)}`);
}

type Scene = {
  readonly env: Readonly<Record<string, string>>;
  readonly documents: Collection;
  /** What `pnpm verify` prints and ends with. */
  readonly verify: () => Promise<{ code: number; said: string }>;
};

/**
 * In partition 0 a view at 1 s, a click at 2 s and one at 12 s, which closes the first window; then a view for that, too
 * late, and one thing nobody can do. In partition 1 a purchase at 3 s, in an open window. All letters are there.
 */
async function openScene(format: string): Promise<Scene> {
  const name = `events-${randomUUID().slice(0, 8)}`;
  const [dlq, late] = [`${name}.dlq`, `${name}.late`];
  const admin = servers.kafka.admin();
  await admin.connect();
  await admin.createTopics({
    topics: [name, dlq, late].map((topic) => ({ topic, numPartitions: 2 })),
  });
  await admin.disconnect();
  const record = (partition: number, seconds: number, type: string) => {
    const event = interaction(seconds, type);
    return { partition, value: valueOf(event, format), timestamp: String(event.produce_time) };
  };
  const letter = (offset: number, reason: string): Message => {
    const { topic, partition, offset: at, reason: why } = deadLetterHeaders;
    const headers = { [topic]: name, [partition]: "0", [at]: String(offset), [why]: reason };
    return { key: "a", value: null, headers };
  };
  const producer = servers.kafka.producer();
  await producer.connect();
  const first = [record(0, 1, "view"), record(0, 2, "click"), record(0, 12, "click")];
  const rest = [record(0, 4, "view"), record(0, 13, "like"), record(1, 3, "purchase")];
  await producer.send({ topic: name, messages: [...first, ...rest] });
  await producer.send({ topic: late, messages: [letter(3, "late")] });
  await producer.send({ topic: dlq, messages: [letter(4, "value not among those declared")] });
  await producer.disconnect();
  const documents = servers.mongo.db("verify").collection(name);
  await documents.insertMany([
    documentOf(0, { p0: [1, 1, 0, 2, "final"], p1: [0, 0, 1, 3, "early"] }),
    documentOf(10, { p0: [0, 1, 0, 12, "early"] }),
  ]);
  const env = {
    JOB: "campaign-counts",
    EVENTS_FORMAT: format,
    WATERMARK_DELAY: "1s",
    KAFKA_BROKERS: servers.devstack.kafka.brokers,
    SCHEMA_REGISTRY_URL: servers.devstack.schemaRegistry.url,
    MONGODB_URL: servers.devstack.mongo.url,
    MONGODB_DATABASE: "verify",
    MONGODB_COLLECTION: name,
    EVENTS_TOPIC: name,
    DEAD_LETTER_TOPIC: dlq,
    LATE_TOPIC: late,
  };
  return { env, documents, verify: () => verifyIn(env) };
}

async function verifyIn(env: Scene["env"]): ReturnType<Scene["verify"]> {
  let said = "";
  const write = (text: string): void => void (said += text);
  const host = { argv: [], env, envFile: null, stdout: write, stderr: write };
  const config = readVerifyConfig(host);
  const code = typeof config === "number" ? config : await runOnce(config, host);
  return { code, said };
}

/** Views, clicks, purchases, and the second of the last event sent. */
type Slot = readonly [number, number, number, number, status: string];

function documentOf(seconds: number, slots: Readonly<Record<string, Slot>>): Document {
  const start = noon + seconds * 1_000;
  const figures = ([views, clicks, purchases, last]: Slot) => ({
    count: views + clicks + purchases,
    views,
    clicks,
    purchases,
    max_produce_time: noon + last * 1_000 + 5,
  });
  const parts = Object.values(slots).map(figures);
  const sum = (name: "count" | "views" | "clicks" | "purchases") =>
    parts.reduce((total, part) => total + part[name], 0);
  return {
    _id: `${new Date(start).toISOString()}/a`,
    campaign_id: "a",
    window: { start: new Date(start), end: new Date(start + 10_000) },
    count: sum("count"),
    views: sum("views"),
    clicks: sum("clicks"),
    purchases: sum("purchases"),
    max_produce_time: Math.max(...parts.map(({ max_produce_time }) => max_produce_time)),
    status: "early",
    slots: Object.fromEntries(
      Object.entries(slots).map(([name, slot]) => [
        name,
        { ...figures(slot), status: slot[4], version: Long.fromNumber(2) },
      ]),
    ),
    rev: Long.fromNumber(1),
  };
}

describe.each(["json", "avro"])("campaigns counted again from %s", (format) => {
  test("agree with documents and letters, and every event is in the sum once", async () => {
    const { verify } = await openScene(format);
    const { code, said } = await verify();
    expect(said).toContain("6 events in = 4 counted + 1 late + 1 dead-lettered\nall equal\n");
    expect(said).toMatch(/windows compared +2\n {2}equal +2\n/);
    expect(code).toBe(0);
  });

  test("tell one too many, one too few and another time from what is right", async () => {
    const { documents, verify } = await openScene(format);
    const id = Object({ _id: "2026-01-01T12:00:00.000Z/a" });
    const changes: readonly [string, number, string][] = [
      ["views", 1, "views: expected 1, found 2"],
      ["slots.p1.purchases", -1, "slots.p1.purchases: expected 1, found 0"],
      ["slots.p0.max_produce_time", 1, `slots.p0.max_produce_time: expected ${noon + 2_005}`],
      ["max_produce_time", -1, `max_produce_time: expected ${noon + 3_005}`],
    ];
    for (const [field, by, problem] of changes) {
      await documents.updateOne(id, { $inc: { [field]: by } });
      const { code, said } = await verify();
      expect(said).toContain(`different: 2026-01-01T12:00:00.000Z/a\n  ${problem}`);
      expect(said).toContain("NOT EQUAL: 1 of 2 windows are not as the log says\n");
      expect(code).toBe(1);
      await documents.updateOne(id, { $inc: { [field]: -by } });
    }
    expect((await verify()).code).toBe(0);
  });

  test("are the same in memory", async () => {
    const { env } = await openScene(format);
    const { documents, ...sums } = await recount({ ...optionsFrom(env), watermarkDelayMs: 1_000 });
    expect(sums).toEqual({ in: 6, counted: 4, late: 1, dead: 1, duplicate: 0 });
    expect(documents.get("2026-01-01T12:00:00.000Z/a")).toEqual({
      count: 3,
      views: 1,
      clicks: 1,
      purchases: 1,
      max_produce_time: noon + 3_005,
    });
  });
});
