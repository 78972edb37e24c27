import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { adEventSchema } from "@adstream/contracts/ad-event";
import { deadLetterHeaders } from "@adstream/contracts/dead-letter";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { frame } from "@adstream/kafka/wire-format";
import type { Message } from "kafkajs";
import { type Document, Long } from "mongodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adStats } from "../src/jobs/ad-stats.ts";
import { recount } from "../src/recount.ts";
import { problemsOf } from "../src/report.ts";
import { type Verification, verify, type VerifyScope, type VerifyTarget } from "../src/verify.ts";
import { startServers, type VerifyServers } from "./verify-servers.ts";

const noon = Date.UTC(2026, 0, 1, 12);
const minute = 60_000;
const rules = {
  job: adStats,
  windowSizeMs: minute,
  windowSlideMs: 30_000,
  watermarkDelayMs: 10_000,
  allowedLatenessMs: 0,
  maxFutureMs: 3_600_000,
};
const resources = new AsyncDisposableStack();
let servers: VerifyServers;

beforeAll(async () => {
  servers = resources.use(await startServers("x", adEventSchema));
});

afterAll(() => resources.disposeAsync());

/** Seconds after noon, in this partition. */
type Sent = readonly [seconds: number, partition: number];

type Scene = {
  readonly name: string;
  readonly target: VerifyTarget;
  verify(scope?: VerifyScope): Promise<Verification>;
  send(topic: string, partition: number, ...messages: Message[]): Promise<void>;
};

const { encode } = avroCodec(adEventSchema);

function eventAt(seconds: number): Message {
  const timestamp = noon + seconds * 1_000;
  const event = { ad_id: "a", timestamp, clicks: 1, views: 2, cost: 0.5, event_id: null };
  return { key: "a", value: frame(servers.schemaId, encode(event)), timestamp: String(timestamp) };
}

/** Topics and a collection of this name; what is sent is one event of ad "a" each. */
async function openScene(name: string, sent: readonly Sent[]): Promise<Scene> {
  const topics = { events: name, deadLetters: `${name}.dlq`, late: `${name}.late` };
  const admin = servers.kafka.admin();
  await admin.connect();
  await admin.createTopics({
    topics: Object.values(topics).map((topic) => ({ topic, numPartitions: 2 })),
  });
  await admin.disconnect();
  const target: VerifyTarget = {
    kafka: servers.kafka,
    registry: { url: servers.devstack.schemaRegistry.url },
    format: "avro",
    topics,
    collection: servers.mongo.db("verify").collection(name),
    rules,
    early: true,
  };
  const scene: Scene = {
    name,
    target,
    verify: (scope) => verify(target, scope),
    async send(topic, partition, ...messages) {
      const producer = servers.kafka.producer();
      await producer.connect();
      await producer.send({ topic, messages: messages.map((one) => ({ ...one, partition })) });
      await producer.disconnect();
    },
  };
  for (const partition of [0, 1]) {
    const events = sent.filter(([, to]) => to === partition).map(([seconds]) => eventAt(seconds));
    if (events.length > 0) await scene.send(name, partition, ...events);
  }
  return scene;
}

type SlotSpec = readonly [count: number, status: string, version: number];

/** The document of the window that begins so many seconds after noon, with slots by partition. */
function documentOf(seconds: number, slots: Readonly<Record<string, SlotSpec>>): Document {
  const start = noon + seconds * 1_000;
  const sums = (count: number) => ({
    count,
    total_clicks: count,
    total_views: count * 2,
    total_cost: count * 0.5,
  });
  const total = Object.values(slots).reduce((sum, [count]) => sum + count, 0);
  const statuses = Object.values(slots).map(([, status]) => status);
  return {
    _id: `${new Date(start).toISOString()}/a`,
    ad_id: "a",
    window: { start: new Date(start), end: new Date(start + minute) },
    ...sums(total),
    avg_clicks: 1,
    avg_views: 2,
    avg_cost: 0.5,
    avg_cost_per_view: 0.25,
    status: statuses.includes("early") ? "early" : "final",
    slots: Object.fromEntries(
      Object.entries(slots).map(([name, [count, status, version]]) => [
        name,
        { ...sums(count), status, version: Long.fromNumber(version) },
      ]),
    ),
    rev: Long.fromNumber(1),
  };
}

const letterOf = (topic: string, partition: number, offset: number, reason: string): Message => ({
  key: "a",
  value: null,
  headers: {
    [deadLetterHeaders.topic]: topic,
    [deadLetterHeaders.partition]: String(partition),
    [deadLetterHeaders.offset]: String(offset),
    [deadLetterHeaders.reason]: reason,
  },
});

describe("verify", () => {
  // Partition 0 is at 12:01:40 - 10 s: the windows from 11:59:30, 12:00 and 12:00:30 are closed.
  const sent: Sent[] = [
    [10, 0],
    [100, 0],
    [20, 1],
  ];
  const right = (): Document[] => [
    documentOf(-30, { p0: [1, "final", 4], p1: [1, "early", 2] }),
    documentOf(0, { p0: [1, "final", 4], p1: [1, "early", 2] }),
    documentOf(60, { p0: [1, "early", 4] }),
    documentOf(90, { p0: [1, "early", 4] }),
  ];

  test("finds log, documents and letters in agreement, and what is not", async () => {
    const scene = await openScene("agreement", sent);
    await scene.target.collection.insertMany(right());
    const verification = await scene.verify();
    expect(problemsOf(verification)).toEqual([]);
    expect(verification).toMatchObject({
      windows: { compared: 4, equal: 4, foundCount: 6, expectedCount: 6 },
      records: { counted: 3, late: 0, dead: 0, duplicate: 0 },
      letters: { dead: 0, late: 0 },
    });
    // One late and one dead record without letters, then with them, then one letter too many.
    await scene.send(scene.name, 0, eventAt(15), { key: "a", value: "junk" });
    expect(problemsOf(await scene.verify())).toEqual([
      "2 records are dead or late and in no topic for them: partition 0, offsets 2, 3",
    ]);
    await scene.send(`${scene.name}.late`, 1, letterOf(scene.name, 0, 2, "late"));
    await scene.send(`${scene.name}.dlq`, 1, letterOf(scene.name, 0, 3, "short frame"));
    await scene.send(`${scene.name}.dlq`, 0, letterOf(scene.name, 0, 3, "short frame"));
    const { letters, windows } = await scene.verify();
    expect([letters, windows.equal]).toEqual([{ dead: 1, late: 1 }, 4]);
    expect(problemsOf(await scene.verify())).toEqual([]);
    await scene.send(`${scene.name}.dlq`, 0, letterOf(scene.name, 0, 1, "null value"));
    expect(problemsOf(await scene.verify())).toEqual([
      "1 dead letters are of records that are not dead",
    ]);
  });

  test.each([
    ["while their schema was unknown", "sticky", "unknown schema id"],
    ["for want of room for their key", "crowded", "too many keys"],
  ])("takes records for dead that were set aside %s", async (_, name, reason) => {
    const scene = await openScene(name, sent);
    await scene.send(scene.name, 1, eventAt(25));
    await scene.send(`${scene.name}.dlq`, 0, letterOf(scene.name, 1, 1, reason));
    await scene.target.collection.insertMany(right());
    const verification = await scene.verify();
    expect(problemsOf(verification)).toEqual([]);
    expect(verification.records).toMatchObject({ counted: 3, dead: 1 });
  });

  test("knows from odd versions that a quiet partition was closed, and what was late by it", async () => {
    const scene = await openScene("quiet", [
      [10, 1],
      [15, 1],
    ]);
    await scene.send(`${scene.name}.late`, 0, letterOf(scene.name, 1, 1, "late"));
    const closedBeforeOffset1 = 3;
    await scene.target.collection.insertMany([
      documentOf(-30, { p1: [1, "final", closedBeforeOffset1] }),
      documentOf(0, { p1: [1, "final", closedBeforeOffset1] }),
    ]);
    const verification = await scene.verify();
    expect(problemsOf(verification)).toEqual([]);
    expect(verification).toMatchObject({ decisions: 1, records: { counted: 1, late: 1 } });
  });

  test("reads only what a range needs, of one partition if so told", async () => {
    const hours = Array.from({ length: 5 }, (_, hour): Sent => [hour * 7_200, 0]);
    const scene = await openScene("range", [...hours, [14_400, 1]]);
    const documents = hours.flatMap(([seconds]) => {
      const both = seconds === 14_400;
      const last = seconds === 28_800;
      return [seconds - 30, seconds].map((start) =>
        documentOf(start, {
          p0: [1, last ? "early" : "final", 4],
          ...(both && { p1: [1, "early", 2] as const }),
        }),
      );
    });
    await scene.target.collection.insertMany(documents);
    const range = { from: noon + 14_370_000, to: noon + 14_430_000 };
    const { windows, records } = await scene.verify({ range });
    expect(windows).toMatchObject({ compared: 2, equal: 2 });
    // In partition 0 the event of the range and the one that closes it, in partition 1 the only one.
    expect(records.counted).toBe(3);
    const alone = await scene.verify({ range, partition: 0, onlyClosed: true });
    expect(alone).toMatchObject({ windows: { compared: 2, equal: 2 }, records: { counted: 2 } });
    const wrong = { _id: documents[4]?.["_id"] };
    await scene.target.collection.updateOne(wrong, { $inc: { "slots.p1.count": 1 } });
    expect(problemsOf(await scene.verify({ range }))).toHaveLength(1);
    const other = { from: noon + 7_170_000, to: noon + 7_230_000 };
    expect(problemsOf(await scene.verify({ range: other }))).toEqual([]);
  });

  test("counts the same as the recount in memory", async () => {
    const scene = await openScene("memory", sent);
    const { kafka: client, registry, format, topics } = scene.target;
    const whole = await recount({
      ...rules,
      kafka: client,
      registry,
      format,
      topic: topics.events,
    });
    const { records, windows } = await scene.verify();
    expect([windows.missing, records.counted]).toEqual([whole.documents.size, whole.counted]);
  });

  test("ends at its signal", async () => {
    const scene = await openScene("signal", sent);
    const signal = AbortSignal.abort(new Error("stop"));
    await expect(scene.verify({ signal })).rejects.toThrow("stop");
  });
});

describe("as a service", () => {
  test("it counts samples, reports what stays wrong, and ends with 0 at SIGTERM", async () => {
    const scene = await openScene("service", [
      [10, 0],
      [100, 0],
    ]);
    const documents = [-30, 0].map((start) => documentOf(start, { p0: [1, "final", 4] }));
    await scene.target.collection.insertMany(documents);
    const child = startService(scene);
    const url = await serviceUrl(child);
    await metric(url, 'adstream_verify_windows_total{result="equal"}', (value) => value >= 2);
    const different = 'adstream_verify_windows_total{result="different"}';
    await metric(url, different, (value) => value === 0);
    const changed = { _id: documents[0]?.["_id"] };
    await scene.target.collection.updateOne(changed, { $inc: { "slots.p0.count": 1 } });
    await metric(url, different, (value) => value >= 1);
    const last = "adstream_verify_last_difference_timestamp_seconds";
    await metric(url, last, (value) => Math.abs(value - Date.now() / 1_000) < 60);
    expect(child.exitCode).toBe(null);
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  });
});

function startService({ target, name }: Scene): ChildProcess {
  const child = fork(join(import.meta.dirname, "../src/main.ts"), ["--every", "100ms"], {
    cwd: tmpdir(),
    execArgv: [],
    silent: true,
    env: {
      KAFKA_BROKERS: servers.devstack.kafka.brokers,
      SCHEMA_REGISTRY_URL: servers.devstack.schemaRegistry.url,
      MONGODB_URL: servers.devstack.mongo.url,
      MONGODB_DATABASE: "verify",
      MONGODB_COLLECTION: name,
      EVENTS_TOPIC: target.topics.events,
      DEAD_LETTER_TOPIC: target.topics.deadLetters,
      LATE_TOPIC: target.topics.late,
      VERIFY_SETTLE: "1ms",
    },
  });
  resources.defer(() => void child.kill("SIGKILL"));
  return child;
}

async function serviceUrl(child: ChildProcess): Promise<string> {
  for (;;) {
    const [message] = await once(child, "message");
    const url: unknown = Reflect.get(Object(message), "url");
    if (typeof url === "string") return url;
  }
}

/** Waits until a metric is as wanted. */
async function metric(
  url: string,
  name: string,
  wanted: (value: number) => boolean,
): Promise<void> {
  let text = "";
  for (let look = 0; look < 200; look++) {
    text = await (await fetch(`${url}/metrics`)).text();
    const line = text.split("\n").find((one) => one.startsWith(`${name} `));
    if (line !== undefined && wanted(Number(line.slice(name.length)))) return;
    await sleep(100);
  }
  throw new Error(`${name} did not come: ${text}`);
}
