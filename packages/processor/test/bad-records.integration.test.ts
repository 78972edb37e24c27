import { createHash } from "node:crypto";
import { deadLetterHeaders } from "@adstream/contracts/dead-letter";
import { startSchemaRegistry } from "@adstream/devstack/schema-registry/server";
import type { RejectReason } from "@adstream/engine/columns";
import { frame } from "@adstream/kafka/wire-format";
import { afterAll, beforeAll, test } from "vitest";
import { adEvent, documentsOf, eventPayload, eventValue, varint } from "./fixture/ad-events.ts";
import { type StoredRecord } from "./fixture/read-topic.ts";
import { openScenario, type Servers, startServers, type TestRecord } from "./fixture/scenario.ts";
import { documentsIn } from "./fixture/stored-results.ts";

let servers: Servers;
beforeAll(async () => {
  servers = await startServers();
});
afterAll(() => servers[Symbol.asyncDispose]());

const noon = Date.UTC(2026, 0, 31, 12);
const unknownSchemaId = 2_000_000_000;

/** Ids that are traps in some language, store or path; they count like all others. */
const oddIds = [
  "__proto__",
  "constructor",
  "toString",
  "$where",
  "a.b",
  "\0",
  "x".repeat(256),
  "ä".repeat(128),
  "🦊🇩🇪👩‍👩‍👧",
  "\u202Eevil",
  "a/b c",
];

type Bad = readonly [what: string, reason: RejectReason, value: Buffer | null];

/** Every way a value can be bad, but for the unknown schema id. */
function badValues(schemaId: number, taggedSchemaId: number): Bad[] {
  const good = eventValue(schemaId, adEvent(noon));
  const value = (parts: Parameters<typeof adEvent>[1]): Buffer =>
    eventValue(schemaId, adEvent(noon, parts));
  const payload = (...parts: Buffer[]): Buffer => frame(schemaId, Buffer.concat(parts));
  return [
    ["no value", "null value", null],
    ...[0, 1, 2, 3, 4].map((length): Bad => {
      return [`${length} bytes`, "short frame", good.subarray(0, length)];
    }),
    ["nothing behind the frame", "truncated or malformed Avro", good.subarray(0, 5)],
    ["text", "wrong magic byte", Buffer.from('{"ad_id":"ad_1"}')],
    ["another magic byte", "wrong magic byte", Buffer.concat([Buffer.of(1), good.subarray(1)])],
    ["half an event", "truncated or malformed Avro", good.subarray(0, good.length >> 1)],
    ["an event less one byte", "truncated or malformed Avro", good.subarray(0, good.length - 1)],
    ["a byte too many", "trailing bytes", Buffer.concat([good, Buffer.of(0)])],
    ["an id of 2 GiB", "length out of bounds", payload(varint(2 ** 31 - 1), Buffer.from("ad"))],
    ["an id of negative length", "length out of bounds", payload(varint(-5), Buffer.from("ad"))],
    ["a length without end", "truncated or malformed Avro", payload(Buffer.alloc(20, 0xff))],
    [
      "an array of 50 million nulls and nothing else",
      "truncated or malformed Avro",
      frame(taggedSchemaId, Buffer.concat([varint(50_000_000), varint(0)])),
    ],
    ["cost NaN", "number not finite", value({ cost: Number.NaN })],
    ["cost Infinity", "number not finite", value({ cost: Number.POSITIVE_INFINITY })],
    ["cost -Infinity", "number not finite", value({ cost: Number.NEGATIVE_INFINITY })],
    ["negative cost", "number out of range", value({ cost: -0.01 })],
    ["negative clicks", "number out of range", value({ clicks: -1 })],
    ["negative views", "number out of range", value({ views: -1 })],
    ["clicks beyond an int", "number out of range", value({ clicks: 2 ** 40 })],
    ["an empty id", "key empty or longer than 256 bytes", value({ adId: "" })],
    ["an id of 257 bytes", "key empty or longer than 256 bytes", value({ adId: "x".repeat(257) })],
    ["broken UTF-8", "key not UTF-8", value({ adId: Buffer.of(0x61, 0xc3, 0x28) })],
    ["a UTF-16 surrogate", "key not UTF-8", value({ adId: Buffer.of(0xed, 0xa0, 0x80) })],
    ["a year ahead", "event time ahead of the record", value({ time: noon + 365 * 86_400_000 })],
    ["a time beyond dates", "timestamp out of range", value({ time: 8_640_000_000_000_001n })],
    ["the highest time", "timestamp out of range", value({ time: 2n ** 63n - 1n })],
    ["a time before dates", "timestamp out of range", value({ time: -8_640_000_000_000_001n })],
    ["900 KiB of zeros", "key empty or longer than 256 bytes", payload(Buffer.alloc(900 * 1024))],
  ];
}

/** What the dead-letter topic has to say of a record. */
function letterOf(
  topic: string,
  offset: number,
  recordTime: number,
  reason: string,
  value: Buffer | null,
) {
  const { valueBytes, valueSha256, ...names } = deadLetterHeaders;
  const framed = value !== null && value.length >= 5 && value[0] === 0;
  const tooLarge = value !== null && value.length >= 900 * 1024;
  return {
    key: Buffer.from("key"),
    value: tooLarge ? null : value,
    headers: {
      [names.topic]: topic,
      [names.partition]: "0",
      [names.offset]: String(offset),
      [names.timestamp]: String(recordTime),
      [names.reason]: reason,
      ...(framed && { [names.schemaId]: String(value.readUInt32BE(1)) }),
      ...(tooLarge && {
        [valueBytes]: String(value.length),
        [valueSha256]: createHash("sha256").update(value).digest("hex"),
      }),
    },
  };
}

function lettersIn(records: readonly StoredRecord[]) {
  return records
    .map(({ key, value, headers }) => ({ key, value, headers }))
    .toSorted(
      (a, b) =>
        Number(a.headers[deadLetterHeaders.offset]) - Number(b.headers[deadLetterHeaders.offset]),
    );
}

const taggedSchema = JSON.stringify({
  type: "record",
  name: "AdEvent",
  namespace: "adstream",
  fields: [
    { name: "tags", type: { type: "array", items: "null" }, default: [] },
    { name: "ad_id", type: "string" },
    { name: "timestamp", type: { type: "long", logicalType: "timestamp-millis" } },
    { name: "clicks", type: "int" },
    { name: "views", type: "int" },
    { name: "cost", type: "double" },
  ],
});

test.concurrent("every kind of bad record is set aside once, whole and with its reason, and those between them count", async ({
  expect,
}) => {
  await using scenario = await openScenario(servers);
  const { schemaId, topics } = scenario;
  const bad = badValues(schemaId, await scenario.register(taggedSchema));
  const good = [...oddIds, ...bad.map((_bad, index) => `ad_${index % 3}`)].map((adId, index) =>
    adEvent(noon + index * 100, { adId }),
  );
  // Bad ones first, in between, and one after another.
  const records = good.flatMap((event, index): TestRecord[] => {
    const recordTime = Number(event.time) + 5;
    const sound = { value: eventValue(schemaId, event), recordTime };
    const [, , value] = bad[index] ?? [];
    return value === undefined ? [sound] : [{ value, recordTime }, sound];
  });
  const processor = scenario.start();
  await scenario.send(records);
  await scenario.caughtUp();
  expect(documentsIn(await scenario.read("results"))).toEqual(documentsOf(good));
  const expected = bad.map(([, reason, value], index) => {
    const offset = index * 2;
    return letterOf(topics.events, offset, records[offset]?.recordTime ?? 0, reason, value);
  });
  expect(lettersIn(await scenario.read("deadLetters"))).toEqual(expected);
  expect(await scenario.read("late")).toEqual([]);
  expect(await processor.stop()).toBe(0);
  expect(processor.lastWords()).toBe("");
});

test.concurrent("records of a schema id that stays unknown for 30 s are set aside, and after a restart again at once", async ({
  expect,
}) => {
  await using scenario = await openScenario(servers);
  const { schemaId, topics } = scenario;
  const unknown = frame(unknownSchemaId, eventPayload(adEvent(noon)));
  const good = [0, 1, 2].map((index) => adEvent(noon + index));
  const valueOf = (event: (typeof good)[number]): Buffer => eventValue(schemaId, event);
  const recordTime = noon + 10;
  const first = scenario.start();
  await scenario.send([
    ...good.slice(0, 1).map((event) => ({ value: valueOf(event), recordTime })),
    { value: unknown, recordTime },
    ...good.slice(1, 2).map((event) => ({ value: valueOf(event), recordTime })),
  ]);
  await scenario.caughtUp();
  expect(await first.stop()).toBe(0);
  const second = scenario.start();
  await scenario.send([
    { value: unknown, recordTime },
    ...good.slice(2).map((event) => ({ value: valueOf(event), recordTime })),
  ]);
  const startedAt = performance.now();
  await scenario.caughtUp();
  expect(performance.now() - startedAt).toBeLessThan(20_000);
  const reason = "unknown schema id";
  expect(lettersIn(await scenario.read("deadLetters"))).toEqual([
    letterOf(topics.events, 1, recordTime, reason, unknown),
    letterOf(topics.events, 3, recordTime, reason, unknown),
  ]);
  expect(documentsIn(await scenario.read("results"))).toEqual(documentsOf(good));
  expect(await second.stop()).toBe(0);
});

test.concurrent("records of a schema id that stays unknown stop the processor where the operator wants to decide", async ({
  expect,
}) => {
  await using scenario = await openScenario(servers);
  const { schemaId } = scenario;
  const unknown = frame(unknownSchemaId, eventPayload(adEvent(noon)));
  const halted = scenario.start({ UNKNOWN_SCHEMA: "halt" });
  const recordTime = noon + 10;
  await scenario.send([
    { value: eventValue(schemaId, adEvent(noon)), recordTime },
    { value: unknown, recordTime },
  ]);
  expect(await halted.ended).toBe(78);
  expect(halted.lastWords()).toMatch(
    `partition 0: the registry has not known schema id ${unknownSchemaId} for 30 s; bring`,
  );
  expect(halted.lastWords().trimEnd().split("\n")).toHaveLength(1);
  expect(await scenario.read("deadLetters")).toEqual([]);
});

test.concurrent("a record too late for all of its windows goes to the late topic, one in time for one of them counts there", async ({
  expect,
}) => {
  await using scenario = await openScenario(servers);
  const { schemaId, topics } = scenario;
  const minute = 60_000;
  const times = [noon, noon + 5 * minute, noon, noon + 4 * minute + 15_000];
  const recordTime = noon + 6 * minute;
  const values = times.map((time) => eventValue(schemaId, adEvent(time)));
  scenario.start();
  await scenario.send(values.map((value) => ({ value, recordTime })));
  await scenario.caughtUp();
  const [, , late = null] = values;
  expect(lettersIn(await scenario.read("late"))).toEqual([
    letterOf(topics.events, 2, recordTime, "late", late),
  ]);
  const expected = documentsOf([
    adEvent(noon),
    adEvent(noon + 5 * minute),
    adEvent(noon + 4 * minute + 15_000),
  ]);
  // The watermark is at 12:04:50: of the last event's windows 12:03:30 is closed and 12:04:00 is open.
  expected.delete("2026-01-31T12:03:30.000Z/ad_1");
  const found = documentsIn(await scenario.read("results"));
  expect(found).toEqual(expected);
  expect(await scenario.read("deadLetters")).toEqual([]);
});

test.concurrent("an outage of the registry pauses, sets nothing aside, keeps the membership, and ends by itself", async ({
  expect,
}) => {
  await using registry = await startSchemaRegistry();
  await using scenario = await openScenario(servers, { registryUrl: registry.url });
  const { schemaId } = scenario;
  const events = [0, 1, 2].map((index) => adEvent(noon + index));
  const processor = scenario.start({ KAFKA_SESSION_TIMEOUT: "3s" });
  await processor.logged("task acquired");
  registry.setOutage({ status: 503 });
  await scenario.send(
    events.map((event) => ({ value: eventValue(schemaId, event), recordTime: noon })),
  );
  // The second one comes a session time-out after the first.
  const retrying = "schema not readable from the registry, retrying (SCHEMA_REGISTRY_URL)";
  await processor.logged(retrying, 2);
  expect(await scenario.read("deadLetters")).toEqual([]);
  expect(await scenario.read("results")).toEqual([]);
  registry.setOutage(null);
  await scenario.caughtUp();
  expect(documentsIn(await scenario.read("results"))).toEqual(documentsOf(events));
  expect(await scenario.read("deadLetters")).toEqual([]);
  expect(processor.lines.filter(({ msg }) => msg === "partitions assigned")).toHaveLength(1);
  expect(await processor.stop()).toBe(0);
});

test.concurrent("more than 1 % of bad records end it with 65, and every restart too, without setting aside twice what a checkpoint holds", async ({
  expect,
}) => {
  await using scenario = await openScenario(servers);
  const { schemaId } = scenario;
  const recordTime = noon;
  const good = { value: eventValue(schemaId, adEvent(noon)), recordTime };
  const bad = { value: Buffer.of(7, 7, 7, 7, 7), recordTime };
  const first = scenario.start();
  await scenario.send([
    ...Array.from({ length: 500 }, () => good),
    ...Array.from({ length: 20 }, () => bad),
  ]);
  await scenario.caughtUp();
  await scenario.send(Array.from({ length: 150 }, () => bad));
  const words =
    "adstream processor: partition 0: more than 1 % of recent records cannot be processed, the last one at offset 599 " +
    "because of wrong magic byte; mend the producers or the reader, then start again; " +
    "to let those that are in the log become dead letters, start once with --accept-dead-letters\n";
  expect([await first.ended, first.lastWords()]).toEqual([65, words]);
  for (let restart = 0; restart < 2; restart++) {
    const again = scenario.start();
    expect([await again.ended, again.lastWords()]).toEqual([65, words]);
  }
  const letters = lettersIn(await scenario.read("deadLetters"));
  const offsets = letters.map(({ headers }) => Number(headers[deadLetterHeaders.offset]));
  expect(offsets.filter((offset) => offset < 520)).toEqual(
    Array.from({ length: 20 }, (_, index) => 500 + index),
  );
});
