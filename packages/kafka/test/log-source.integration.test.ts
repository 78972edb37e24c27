import {
  startSchemaRegistry,
  type SchemaRegistryServer,
} from "@adstream/devstack/schema-registry/server";
import { rejectReasons, type RecordColumns } from "@adstream/engine/columns";
import type { Clock, LogHandler } from "@adstream/engine/ports";
import avsc from "avsc";
import { openLogSource, type DecodedLogSource } from "@adstream/kafka/log-source";
import { openPublisher, type Publisher } from "@adstream/kafka/publisher";
import { openSchemaRegistry } from "@adstream/kafka/schema-registry";
import { frame } from "@adstream/kafka/wire-format";
import { afterEach, beforeEach, expect, test } from "vitest";

import { startFixture, until, type Fixture } from "./broker-fixture.ts";
import { sleep } from "./reading.ts";

const schema: avsc.Schema = {
  type: "record",
  name: "Click",
  fields: [
    { name: "ad", type: "string" },
    { name: "at", type: { type: "long", logicalType: "timestamp-millis" } },
    { name: "cost", type: "double" },
  ],
};
const projection = {
  key: "ad",
  eventTime: "at",
  numbers: [{ field: "cost", min: 0, max: 1e6 }],
};

let fixture: Fixture;
let server: SchemaRegistryServer;
let publisher: Publisher;
let topic: string;
beforeEach(async () => {
  fixture = await startFixture();
  server = await startSchemaRegistry({});
  publisher = await openPublisher(fixture);
  topic = await fixture.topic(1);
});
afterEach(async () => {
  await publisher[Symbol.asyncDispose]();
  await server.close();
  await fixture[Symbol.asyncDispose]();
});

const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  sleep: (ms) => sleep(ms),
};

type Reading = AsyncDisposable & {
  readonly source: DecodedLogSource;
  /** "ad cost" of each accepted row, "!reason" of each other one. */
  readonly rows: string[];
  readonly nextOffsets: number[];
  readonly unknown: number[];
  readonly decided: Set<number>;
  readonly running: Promise<void>;
};

async function read(options: { clock?: Clock; later?: () => boolean } = {}): Promise<Reading> {
  const { kafka, log } = fixture;
  const registry = openSchemaRegistry({ url: server.url, log, timeoutMs: 500 });
  const clock = options.clock ?? systemClock;
  const source = await openLogSource({
    kafka,
    log,
    registry,
    clock,
    projection,
    topic,
    groupId: topic,
    sessionTimeoutMs: 8_000,
  });
  const [rows, nextOffsets, unknown]: [string[], number[], number[]] = [[], [], []];
  const decided = new Set<number>();
  const handler: LogHandler = {
    assigned: () => source.start(0, 0),
    apply(_partition, columns, nextOffset) {
      if (options.later?.() === true) return "later";
      rows.push(...describeRows(columns));
      nextOffsets.push(nextOffset);
      return "applied";
    },
    atLogEnd: () => {},
    schemaUnknown: (_partition, schemaId) => unknown.push(schemaId),
    unknownSchemas: () => decided,
    beforeRejoin: () => Promise.resolve(),
  };
  const stop = new AbortController();
  const running = source.run(handler, stop.signal);
  running.catch(() => {});
  return {
    source,
    rows,
    nextOffsets,
    unknown,
    decided,
    running,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.allSettled([running]);
      await source[Symbol.asyncDispose]();
    },
  };
}

function describeRows({
  count,
  rejected,
  bytes,
  keyStart,
  keyLength,
  values,
}: RecordColumns): string[] {
  return Array.from({ length: count }, (_, row) => {
    const reason = rejected[row] ?? 0;
    if (reason !== 0) return `!${rejectReasons[reason]}`;
    const start = keyStart[row] ?? 0;
    const key = Buffer.from(bytes.subarray(start, start + (keyLength[row] ?? 0)));
    return `${key.toString()} ${values[0]?.[row]}`;
  });
}

function click(schemaId: number, ad: string, cost: number) {
  const value = frame(schemaId, avsc.Type.forSchema(schema).toBuffer({ ad, at: 1_000, cost }));
  return { topic, key: ad, value };
}

function register(text: string = JSON.stringify(schema)): Promise<number> {
  return openSchemaRegistry({ url: server.url, log: fixture.log }).register(`${topic}-value`, text);
}

test("events come as columns, with the offset behind their batch", async () => {
  const id = await register();
  await publisher.publish([click(id, "a", 1), click(id, "b", 2)]);
  await publisher.publish([click(id, "c", 3)]);
  await using reading = await read();
  await until(() => reading.rows.length === 3);
  expect(reading.rows).toEqual(["a 1", "b 2", "c 3"]);
  expect(reading.nextOffsets).toEqual([2, 3]);
});

test("bad records are rejected rows among the good ones, and nothing stops", async () => {
  const id = await register();
  await publisher.publish([
    click(id, "a", 1),
    { topic, key: "k", value: null },
    { topic, key: "k", value: Buffer.from([0, 0, 1]) },
    { topic, key: "k", value: Buffer.from([9, 0, 0, 0, 1, 0]) },
    { topic, key: "k", value: frame(id, Buffer.from([2, 97])) },
    click(id, "b", Number.NaN),
    click(id, "c", 3),
  ]);
  await using reading = await read();
  await until(() => reading.rows.length === 7);
  expect(reading.rows).toEqual([
    "a 1",
    "!null value",
    "!short frame",
    "!wrong magic byte",
    "!truncated or malformed Avro",
    "!number not finite",
    "c 3",
  ]);
});

test("an outage of the registry pauses the partition, which stays in its group and loses nothing", async () => {
  const id = await register();
  await publisher.publish([click(id, "a", 1)]);
  server.setOutage({ status: 503 });
  await using reading = await read();
  await until(() => fixture.log.lines.some((line) => line.includes("SCHEMA_REGISTRY_URL")));
  await sleep(300);
  expect(reading.rows).toEqual([]);
  server.setOutage(null);
  await until(() => reading.rows.length === 1);
  expect(reading.rows).toEqual(["a 1"]);
  expect(reading.unknown).toEqual([]);
});

test("a schema that is registered after its first record is waited for", async () => {
  await publisher.publish([click(1, "a", 1)]);
  await using reading = await read();
  await sleep(400);
  expect(reading.rows).toEqual([]);
  expect(await register()).toBe(1);
  await until(() => reading.rows.length === 1);
  expect(reading.rows).toEqual(["a 1"]);
});

test("an id unknown for 30 s is reported once, and its records wait until that is decided", async () => {
  let nowMs = 0;
  const clock = { ...systemClock, nowMs: () => (nowMs += 4_000), sleep: () => sleep(20) };
  await publisher.publish([click(77, "a", 1), click(77, "b", 1)]);
  await using reading = await read({ clock });
  await until(() => reading.unknown.length > 0);
  await sleep(300);
  expect(reading.unknown).toEqual([77]);
  expect(reading.rows).toEqual([]);
  reading.decided.add(77);
  await until(() => reading.rows.length === 2);
  expect(reading.rows).toEqual(["!unknown schema id", "!unknown schema id"]);
});

test("a decision outranks a schema that is registered later", async () => {
  const id = await register();
  await publisher.publish([click(id, "a", 1)]);
  const reading = await read();
  reading.decided.add(id);
  await until(() => reading.rows.length === 1);
  expect(reading.rows).toEqual(["!unknown schema id"]);
  await reading[Symbol.asyncDispose]();
});

test("records of a schema that lacks what is projected are rejected, once logged", async () => {
  const other = { type: "record", name: "Other", fields: [{ name: "x", type: "int" }] };
  const id = await register(JSON.stringify(other));
  await publisher.publish([{ topic, key: "k", value: frame(id, Buffer.from([2])) }]);
  await publisher.publish([{ topic, key: "k", value: frame(id, Buffer.from([2])) }]);
  await using reading = await read();
  await until(() => reading.rows.length === 2);
  expect(reading.rows).toEqual(["!unreadable schema", "!unreadable schema"]);
  expect(fixture.log.lines.filter((line) => line.includes("schema not readable,"))).toHaveLength(1);
});

test("a pause by the handler outlasts the wait for a schema", async () => {
  await publisher.publish([click(1, "a", 1)]);
  const { lines } = fixture.log;
  const before = lines.length;
  await using reading = await read();
  await until(() => lines.slice(before).some((line) => line.includes("id not registered")));
  reading.source.pause(0);
  await register();
  await sleep(1_500);
  expect(reading.rows).toEqual([]);
  reading.source.resume(0);
  await until(() => reading.rows.length === 1);
});

test("'later' keeps the records until the handler resumes", async () => {
  const id = await register();
  await publisher.publish([click(id, "a", 1)]);
  let busy = true;
  await using reading = await read({ later: () => busy });
  await sleep(500);
  busy = false;
  expect(reading.rows).toEqual([]);
  reading.source.resume(0);
  await until(() => reading.rows.length === 1);
});

test("credentials that the registry refuses stop the source", async () => {
  await server.close();
  server = await startSchemaRegistry({ username: "u", password: "p" });
  await publisher.publish([click(1, "a", 1)]);
  await using reading = await read();
  await expect(reading.running).rejects.toMatchObject({ code: "NOT_AUTHORIZED", exitCode: 64 });
});
