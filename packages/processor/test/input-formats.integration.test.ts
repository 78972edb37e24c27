import { frame } from "@adstream/kafka/wire-format";
import { afterAll, beforeAll, test } from "vitest";
import {
  adEvent,
  documentsOf,
  double,
  eventValue,
  type TestEvent,
  varint,
} from "./fixture/ad-events.ts";
import { producerCodecs } from "./fixture/producer-codecs.ts";
import { openScenario, type Servers, startServers } from "./fixture/scenario.ts";
import { documentsIn, newestResults } from "./fixture/stored-results.ts";

let servers: Servers;
beforeAll(async () => {
  servers = await startServers();
});
afterAll(() => servers[Symbol.asyncDispose]());

const noon = Date.UTC(2026, 0, 31, 12);

function someEvents(count: number): TestEvent[] {
  return Array.from({ length: count }, (_, index) =>
    adEvent(noon + index * 10, { adId: `ad_${index % 7}`, clicks: index, cost: index / 4 }),
  );
}

test.concurrent("gzip, snappy, lz4 and zstd input gives the results of uncompressed input", async ({
  expect,
}) => {
  const partitions = producerCodecs.length;
  await using scenario = await openScenario(servers, { partitions });
  const { schemaId } = scenario;
  const events = someEvents(2_000);
  const processor = scenario.start();
  for (const [partition, compression] of producerCodecs.entries()) {
    const records = events.map((event) => ({
      value: eventValue(schemaId, event),
      recordTime: Number(event.time),
      partition,
    }));
    await scenario.send(records, compression === undefined ? {} : { compression });
  }
  await scenario.caughtUp();
  const results = newestResults(await scenario.read("results"));
  const bySlot = Map.groupBy(results, ({ slot }) => slot);
  const contents = [...bySlot.values()].map((slot) =>
    slot
      .map(({ slot: _slot, ...content }) => content)
      .toSorted((a, b) => a.ad_id.localeCompare(b.ad_id) || a.window_start - b.window_start),
  );
  expect(contents).toHaveLength(partitions);
  const [uncompressed = [], ...compressed] = contents;
  expect(uncompressed.map(({ count }) => count).reduce((sum, count) => sum + count, 0)).toBe(
    2 * events.length,
  );
  for (const content of compressed) expect(content).toEqual(uncompressed);
  expect(await scenario.read("deadLetters")).toEqual([]);
  expect(await processor.stop()).toBe(0);
});

/** Fields in another order, and one that nobody here knows. */
const laterSchema = JSON.stringify({
  type: "record",
  name: "AdEvent",
  namespace: "adstream",
  fields: [
    { name: "cost", type: "double" },
    { name: "campaign", type: ["null", "string"], default: null },
    { name: "views", type: "int" },
    { name: "clicks", type: "int" },
    { name: "timestamp", type: { type: "long", logicalType: "timestamp-millis" } },
    { name: "ad_id", type: "string" },
    { name: "event_id", type: ["null", "string"], default: null },
  ],
});

function laterValue(schemaId: number, event: TestEvent, campaign: string | null): Buffer {
  const text = (value: string): Buffer =>
    Buffer.concat([varint(Buffer.byteLength(value)), Buffer.from(value)]);
  const branch = (value: string | null): Buffer =>
    value === null ? varint(0) : Buffer.concat([varint(1), text(value)]);
  const { cost, views, clicks, time, adId } = event;
  const fields = [double(cost), branch(campaign), varint(views), varint(clicks), varint(time)];
  const payload = Buffer.concat([...fields, text(String(adId)), branch(null)]);
  return frame(schemaId, payload);
}

test.concurrent("writers that move to a later schema while it runs, and those that do not, are both read", async ({
  expect,
}) => {
  await using scenario = await openScenario(servers);
  const { schemaId } = scenario;
  const events = someEvents(60);
  const recordTime = noon;
  const processor = scenario.start();
  const before = events.slice(0, 20);
  await scenario.send(before.map((event) => ({ value: eventValue(schemaId, event), recordTime })));
  await scenario.caughtUp();
  const laterId = await scenario.register(laterSchema);
  expect(laterId).not.toBe(schemaId);
  const values = events.slice(20).map((event, index) => {
    if (index % 3 === 0) return eventValue(schemaId, event);
    return laterValue(laterId, event, index % 3 === 1 ? null : `campaign ${index}`);
  });
  await scenario.send(values.map((value) => ({ value, recordTime })));
  await scenario.caughtUp();
  expect(documentsIn(await scenario.read("results"))).toEqual(documentsOf(events));
  expect(await scenario.read("deadLetters")).toEqual([]);
  expect(await processor.stop()).toBe(0);
});
