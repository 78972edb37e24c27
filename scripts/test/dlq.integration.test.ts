import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { adEventSchema } from "@adstream/contracts/ad-event";
import { redriveHeaders } from "@adstream/contracts/dead-letter";
import { valueSubject } from "@adstream/contracts/topics";
import { type Devstack, startDevstack } from "@adstream/devstack/start-devstack";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { connectKafka, type KafkaConnection } from "@adstream/kafka/connection";
import { type DeadLetter, deadLetterRecord } from "@adstream/kafka/dead-letter-record";
import { openPublisher, type Publisher } from "@adstream/kafka/publisher";
import { openSchemaRegistry } from "@adstream/kafka/schema-registry";
import { createTopics } from "@adstream/kafka/topics";
import { frame } from "@adstream/kafka/wire-format";
import { openLog } from "@adstream/service/log";
import { readTopic } from "@adstream/verify/recount-topic";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { maxRedrives } from "../dlq/redrive-plan.ts";
import { type DlqProcess, runDlq } from "../dlq/run-dlq.ts";

const log = openLog({ name: "test", level: "silent" });
const noon = Date.UTC(2026, 0, 31, 12);
let devstack: Devstack;
let kafka: KafkaConnection;
let publisher: Publisher;
let schemaId: number;

beforeAll(async () => {
  devstack = await startDevstack();
  const brokers = [devstack.kafka.brokers];
  kafka = connectKafka({ brokers, clientId: "test", securityProtocol: "PLAINTEXT" }, log);
  publisher = await openPublisher({ kafka, log });
  const registry = openSchemaRegistry({ url: devstack.schemaRegistry.url, log });
  schemaId = await registry.register(valueSubject("events"), adEventSchema);
});

afterAll(async () => {
  await publisher[Symbol.asyncDispose]();
  await devstack.close();
});

type Scene = {
  readonly env: Readonly<Record<string, string>>;
  readonly events: string;
  /** Puts letters into the dead-letter topic. */
  letters(...letters: Partial<DeadLetter>[]): Promise<void>;
  /** What was redriven: origin, first origin, count, key and value. */
  redriven(): Promise<string[][]>;
  run(...argv: string[]): Promise<{ code: number; out: string; err: string }>;
  runWith(host: Partial<DlqProcess>, ...argv: string[]): ReturnType<Scene["run"]>;
};

async function openScene(partitions = 1): Promise<Scene> {
  const events = `events-${randomUUID().slice(0, 8)}`;
  const dlq = `${events}.dlq`;
  await createTopics(
    kafka,
    [events, dlq, `${events}.late`].map((topic) => ({ topic, partitions })),
  );
  const env = {
    KAFKA_BROKERS: devstack.kafka.brokers,
    SCHEMA_REGISTRY_URL: devstack.schemaRegistry.url,
    EVENTS_TOPIC: events,
    DEAD_LETTER_TOPIC: dlq,
    LATE_TOPIC: `${events}.late`,
  };
  const scene: Scene = {
    env,
    events,
    async letters(...letters) {
      const whole = { topic: events, partition: 0, offset: 0, timestamp: noon };
      const rest = { key: Buffer.from("key"), value: Buffer.from("value"), reason: "short frame" };
      const records = letters.map((one) => deadLetterRecord(dlq, { ...whole, ...rest, ...one }));
      for (const record of records) await publisher.publish([record]);
    },
    async redriven() {
      const found: string[][] = [];
      await readTopic({ kafka, topic: events }, async (_, { key, value, headers = {} }) => {
        const { origin, firstOrigin, count } = redriveHeaders;
        const told = [origin, firstOrigin, count].map((name) => String(headers[name] ?? "-"));
        found.push([...told, String(key), String(value)]);
      });
      return found;
    },
    run: (...argv) => scene.runWith({}, ...argv),
    async runWith(host, ...argv) {
      let [out, err] = ["", ""];
      const code = await runDlq({
        argv,
        env,
        envFile: null,
        stdout: (text) => (out += text),
        stderr: (text) => (err += text),
        ...host,
      });
      return { code, out, err };
    },
  };
  return scene;
}

/** The origin of letter `offset` of partition 0, as headers write it. */
function origin({ events }: Scene, offset: number): string {
  return `${events}/0/${offset}`;
}

function offsetsOf(count: number): { offset: number; key: Buffer }[] {
  return Array.from({ length: count }, (_, offset) => ({ offset, key: Buffer.from(`k${offset}`) }));
}

/** Kafka's publisher, with something to happen between the broker's answer and ours. */
function gatedPublisher(answered: () => Promise<void>): typeof openPublisher {
  return async (options) => {
    const real = await openPublisher(options);
    return {
      maxRecordBytes: real.maxRecordBytes,
      openBlocks: (topic) => real.openBlocks(topic),
      publishBlocks: (blocks) => real.publishBlocks(blocks),
      async publish(records) {
        await real.publish(records);
        await answered();
      },
      [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
    };
  };
}

/** Longer than a member waits between two heartbeats. */
const heartbeatMs = 1_100;

/** Waits until somebody else wants to be a member, and for longer than a member waits between two heartbeats. */
async function groupIsRebalancing(group: string): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  for (let look = 0; look < 100; look++) {
    const { groups } = await admin.describeGroups([group]);
    if (groups[0]?.state === "PreparingRebalance") break;
    await sleep(50);
  }
  await admin.disconnect();
  await sleep(heartbeatMs);
}

/** Origins that were redriven, sorted, with repeats. */
async function originsSent(scene: Scene): Promise<string[]> {
  return (await scene.redriven()).map(([one = ""]) => one).toSorted();
}

describe("redrive", () => {
  test("prints what it would do, and does it with --yes: the same bytes, with their origin", async () => {
    const scene = await openScene();
    await scene.letters({ offset: 3 }, { offset: 3 }, { offset: 4, value: Buffer.of(0, 255) });
    const plan = await scene.run("redrive");
    expect(plan).toEqual({
      code: 0,
      err: "",
      out: `2 letters, 2 to be sent to ${scene.events}\nnothing is sent without --yes\n`,
    });
    expect(await scene.redriven()).toEqual([]);
    const { code, out } = await scene.run("redrive", "--yes");
    expect([code, out]).toEqual([0, expect.stringContaining("2 letters redriven\n")]);
    expect(out).toContain("2 of them still cannot be read: they come back\n");
    const [three, four] = [origin(scene, 3), origin(scene, 4)];
    expect(await scene.redriven()).toEqual([
      [three, three, "1", "key", "value"],
      [four, four, "1", "key", String(Buffer.of(0, 255))],
    ]);
  });

  test("sends a letter once, however often it is called", async () => {
    const scene = await openScene(3);
    await scene.letters(...offsetsOf(20));
    await scene.run("redrive", "--yes");
    await scene.letters({ offset: 20 });
    const again = await scene.run("redrive", "--yes");
    expect(again.out).toContain("21 letters, 1 to be sent");
    expect(again.out).toContain("  20 were redriven before\n");
    expect((await scene.run("redrive", "--yes")).out).toContain("21 letters, 0 to be sent");
    const sent = await originsSent(scene);
    expect(sent).toEqual([...new Set(sent)]);
    expect(sent).toHaveLength(21);
  });

  test("goes on where it was stopped, also when the last record had arrived", async () => {
    const scene = await openScene(2);
    await scene.letters(...offsetsOf(10));
    let sends = 0;
    const failing = gatedPublisher(async () => {
      sends += 1;
      if (sends === 4) throw new Error("no answer came");
    });
    const stopped = await scene.runWith({ openPublisher: failing }, "redrive", "--yes");
    expect([stopped.code, stopped.err]).toEqual([70, "adstream dlq: no answer came\n"]);
    expect(await originsSent(scene)).toHaveLength(4);
    expect((await scene.run("redrive", "--yes")).out).toContain("6 letters redriven\n");
    const sent = await originsSent(scene);
    expect(sent).toEqual(offsetsOf(10).map(({ offset }) => origin(scene, offset)));
  });

  test("sends a letter once when two run at a time", async () => {
    const scene = await openScene(4);
    await scene.letters(...offsetsOf(60));
    const runs = await Promise.all([scene.run("redrive", "--yes"), scene.run("redrive", "--yes")]);
    expect(runs.map(({ code }) => code)).toEqual([0, 0]);
    const sent = await originsSent(scene);
    expect(sent).toEqual([...new Set(sent)]);
    expect(sent).toHaveLength(60);
  });

  test("reads the log again before it goes on with letters that another one held meanwhile", async () => {
    const scene = await openScene(2);
    await scene.letters(...offsetsOf(40));
    const group = `${scene.events}.dlq.redrive`;
    let other: ReturnType<Scene["run"]> | undefined;
    let sends = 0;
    const gated = gatedPublisher(async () => {
      sends += 1;
      if (sends === 1) {
        other = scene.run("redrive", "--yes");
        await groupIsRebalancing(group);
      }
      // The other one has a partition by now; it sends what is in there, leaves, and leaves that partition to us.
      if (sends === 2) {
        await other;
        await sleep(heartbeatMs);
      }
    });
    const first = await scene.runWith({ openPublisher: gated }, "redrive", "--yes");
    expect([first.code, (await other)?.code]).toEqual([0, 0]);
    expect((await other)?.out).toMatch(/\n[1-9]\d* letters redriven\n/);
    const sent = await originsSent(scene);
    expect(sent).toEqual([...new Set(sent)]);
    expect(sent).toHaveLength(40);
  });

  test("keeps the first origin of a letter that comes back, and gives up after five times", async () => {
    const scene = await openScene();
    await scene.letters({ offset: 1_000 });
    for (let round = 0; round < maxRedrives; round++) {
      expect((await scene.run("redrive", "--yes")).out).toContain("1 letters redriven\n");
      // What the processor says of a record that failed again: the place where that stands.
      await scene.letters({ offset: round });
    }
    const last = await scene.run("redrive", "--yes");
    expect(last.out).toContain("6 letters, 0 to be sent");
    expect(last.out).toContain("  1 failed again five times");
    const first = origin(scene, 1_000);
    expect((await scene.redriven()).map((told) => told.slice(0, 3))).toEqual([
      [first, first, "1"],
      ...[0, 1, 2, 3].map((offset) => [origin(scene, offset), first, String(offset + 2)]),
    ]);
  });

  test("leaves letters whose value was not kept, and those of other topics", async () => {
    const scene = await openScene();
    await scene.letters(
      { offset: 1, value: Buffer.alloc(950 * 1024) },
      { offset: 2, topic: "ad_stats" },
    );
    const { out } = await scene.run("redrive", "--yes");
    expect(out).toContain("2 letters, 0 to be sent");
    expect(out).toContain("  1 were too large to keep");
    expect(out).toContain("  1 are of another topic");
  });

  test("sends none of which the log no longer tells whether they were sent", async () => {
    const scene = await openScene();
    for (const timestamp of [noon + 1, noon + 2]) {
      const record = { topic: scene.events, key: "x", value: null, timestamp };
      await publisher.publish([record]);
    }
    const admin = kafka.admin();
    await admin.connect();
    await admin.fetchTopicOffsets(scene.events); // kafkajs deletes in topics it knows.
    const partitions = [{ partition: 0, offset: "1" }];
    await admin.deleteTopicRecords({ topic: scene.events, partitions });
    await admin.disconnect();
    await scene.letters({ offset: 0, timestamp: noon + 1 }, { offset: 1, timestamp: noon + 2 });
    const { out } = await scene.run("redrive", "--yes");
    expect(out).toContain("  1 are older than what the events topic still holds");
    expect(out).toContain("1 letters redriven\n");
  });

  test("takes the letters that are named, and no more than the limit", async () => {
    const scene = await openScene();
    const framed = frame(7, Buffer.from("x"));
    await scene.letters(
      { offset: 1 },
      { offset: 2, reason: "null value", value: null },
      { offset: 3, value: framed },
      { offset: 4, value: framed },
      { offset: 5, value: framed },
    );
    await scene.run("redrive", "--yes", "--reason", "null value");
    await scene.run("redrive", "--yes", "--origin", "0/4");
    await scene.run("redrive", "--yes", "--schema-id", "7", "--limit", "1");
    const sent = await scene.redriven();
    expect(sent.map(([one]) => one)).toEqual([2, 4, 3].map((offset) => origin(scene, offset)));
  });

  test("says how many are late by now", async () => {
    const scene = await openScene();
    const event = { clicks: 1, views: 1, cost: 1, event_id: null, ad_id: "a" };
    const { encode } = avroCodec(adEventSchema);
    const value = (timestamp: number) => frame(schemaId, encode({ ...event, timestamp }));
    const record = { topic: scene.events, key: "key", timestamp: noon };
    await publisher.publish([{ ...record, value: value(noon) }]);
    await scene.letters(
      { offset: 1, value: value(noon - 70_000) },
      { offset: 2, value: value(noon - 69_999 + 30_000) },
    );
    const { out } = await scene.run("redrive", "--yes");
    expect(out).toContain("about 1 of them are late by now");
  });
});

describe("list", () => {
  test("counts letters by reason, schema and partition, copies left out", async () => {
    const scene = await openScene();
    await scene.letters(
      { offset: 1, timestamp: noon + 5 },
      { offset: 1, timestamp: noon + 5 },
      { offset: 2 },
      { offset: 2, partition: 1, value: frame(9, Buffer.from("x")), reason: "unknown schema id" },
    );
    const { code, out } = await scene.run("list");
    expect([code, out.replaceAll(/ {2,}/g, "  ").split("\n")]).toEqual([
      0,
      [
        "count  reason  schema  partition  first  last  sample",
        `2  short frame  -  0  2026-01-31T12:00:00.000Z  2026-01-31T12:00:00.005Z  ${scene.events}/0/1`,
        `1  unknown schema id  9  1  2026-01-31T12:00:00.000Z  2026-01-31T12:00:00.000Z  ${scene.events}/1/2`,
        `${scene.events}.dlq: 3 letters`,
        "1 copies, which a crash leaves behind, not counted",
        "",
      ],
    ]);
    const json = JSON.parse((await scene.run("list", "--json", "--schema-id", "9")).out);
    expect(json).toMatchObject({ groups: [{ count: 1, schemaId: 9, partition: 1 }] });
    expect((await scene.run("list", "--topic", "late")).out).toBe(
      `${scene.events}.late: no such letters\n`,
    );
  });
});

describe("show", () => {
  test("prints a letter so that nothing in it can steer the terminal", async () => {
    const scene = await openScene();
    const key = Buffer.from("\u001b[2Jkey\u202e");
    await scene.letters({
      offset: 7,
      key,
      value: Buffer.from("\u001b]0;x\u0007plain"),
      reason: "a\u009bb",
    });
    const { code, out } = await scene.run("show", "0/7");
    expect(code).toBe(0);
    expect(out).toContain("key        \\u{1b}[2Jkey\\u{202e}\n");
    expect(out).toContain("reason     a\\u{9b}b\n");
    expect(out).toContain(
      "00000000   1b 5d 30 3b 78 07 70 6c 61 69 6e                 .]0;x.plain\n",
    );
    expect(out.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  test("reads the value again by the schema of now", async () => {
    const scene = await openScene();
    const event = {
      timestamp: noon,
      clicks: 1,
      views: 1,
      cost: -1,
      event_id: null,
      ad_id: "a\u0007",
    };
    const value = frame(schemaId, avroCodec(adEventSchema).encode(event));
    await scene.letters({ offset: 1, value }, { offset: 2, value: frame(4_711, Buffer.from("x")) });
    expect((await scene.run("show", "0/1")).out).toContain(
      `decoded    {"ad_id":"a\\u0007","timestamp":${noon},"clicks":1,"views":1,"cost":-1`,
    );
    expect((await scene.run("show", "0/2")).out).toContain("decoded    no: schema id 4711 is not");
    const json = JSON.parse((await scene.run("show", "0/1", "--json")).out);
    expect(json).toMatchObject({ value: value.toString("hex"), schemaId, partition: 0, offset: 1 });
  });

  test("of a letter that is not there ends with 1", async () => {
    const scene = await openScene();
    expect(await scene.run("show", "0/7")).toMatchObject({
      code: 1,
      err: `adstream dlq: ${scene.events}.dlq holds no letter of 0/7\n`,
    });
  });
});
