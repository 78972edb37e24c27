import { adEventSchema } from "@adstream/contracts/ad-event";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { openSchemaRegistry } from "@adstream/kafka/schema-registry";
import { frame } from "@adstream/kafka/wire-format";
import { MongoClient } from "mongodb";
import { expect, test } from "vitest";
import { checkDocuments } from "../../src/check-documents.ts";
import { openRunScope, type RunScope } from "../../src/run-scope.ts";
import { openServers } from "../../src/servers.ts";
import { startService } from "../../src/service-process.ts";

/** Ids that are operators, field paths, inherited names, markup or formulas to somebody down the line. */
const ids = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "valueOf",
  "then",
  "$where",
  "$gt",
  "$set",
  '{"$gt":""}',
  "$$ROOT",
  "a.b",
  ".",
  "..",
  "a.$b",
  "rev",
  "_id",
  "slots.p0",
  "\u0000",
  "a\u0000b",
  "\n",
  "\r\n\t",
  "\u001b[31m",
  "\u202eevil",
  "\u200b",
  "\ufffd",
  "\ufeffx",
  "ÅÅ",
  " ",
  " a",
  "a ",
  "a/b",
  "/",
  "2026-01-01T00:00:00.000Z/x",
  "../../etc/passwd",
  "%2e%2e",
  "null",
  "undefined",
  "NaN",
  "true",
  "0",
  "-1",
  "1e3",
  "[object Object]",
  "[]",
  "{}",
  "<script>alert(1)</script>",
  "=1+1",
  "+1",
  "-1+1",
  "@SUM(A1)",
  "'; drop table ads; --",
  '"',
  "\\",
  "x".repeat(256),
  "é".repeat(128),
  "😀".repeat(64),
] as const;
/** Not ids at all: dead letters. */
const refused = ["", "x".repeat(257), "é".repeat(129)] as const;

const timesEach = 7;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

async function produce({ environment, kafka }: RunScope): Promise<number> {
  const url = environment["SCHEMA_REGISTRY_URL"] ?? "";
  const topic = environment["EVENTS_TOPIC"] ?? "";
  const registry = openSchemaRegistry({ url, log: silent });
  const schemaId = await registry.register(`${topic}-value`, adEventSchema);
  const codec = avroCodec(adEventSchema);
  // All of an ad in one pane.
  const now = Math.floor(Date.now() / 30_000) * 30_000;
  const messages = [...ids, ...refused].flatMap((ad_id, index) =>
    Array.from({ length: timesEach }, (_, turn) => {
      const event = {
        ad_id,
        timestamp: now + turn,
        clicks: 1,
        views: index,
        cost: 0.5,
        event_id: null,
      };
      return { key: Buffer.from(ad_id), value: frame(schemaId, codec.encode(event)) };
    }),
  );
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic, messages });
  await producer.disconnect();
  return messages.length;
}

test(
  "an ad may be called anything: each is counted like any other, and nothing else is touched",
  { timeout: 90_000 },
  async () => {
    await using servers = await openServers({});
    await using scope = await openRunScope(servers, { settings: { CHECKPOINT_INTERVAL: "500ms" } });
    const { directory, environment } = scope;
    await using client = new MongoClient(environment["MONGODB_URL"] ?? "");
    const database = client.db(environment["MONGODB_DATABASE"]);
    const bystander = {
      _id: "bystander",
      ad_id: "bystander",
      rev: 1,
      slots: { p0: { count: 1 } },
    };
    const others = database.collection<{ _id: string }>("others");
    await others.insertOne({ ...bystander });

    // With it a write to `__proto__` throws instead of changing the prototype.
    const nodeArguments = ["--disable-proto=throw"];
    await using sink = startService({ service: "sink", environment, directory, nodeArguments });
    await using processor = startService({
      service: "processor",
      environment,
      directory,
      nodeArguments,
    });
    await processor.until("ready", ({ status }) => status["ready"] === true);
    const records = await produce(scope);
    await expect
      .poll(async () => (await checkDocuments(environment)).problems, {
        timeout: 40_000,
        interval: 500,
      })
      .toEqual([]);

    const { recounted } = await checkDocuments(environment);
    expect(recounted).toMatchObject({ in: records, dead: refused.length * timesEach });
    const results = database.collection("ad_stats");
    for (const ad_id of ids) {
      const found = await results.find({ ad_id: { $eq: ad_id } }).toArray();
      expect(found.map(({ count }) => Number(count))).toEqual([timesEach, timesEach]);
    }
    expect(await results.countDocuments()).toBe(ids.length * 2);
    expect(await others.find({}).toArray()).toEqual([bystander]);
    expect(await sink.stop()).toMatchObject({ code: 0, stderr: "" });
    expect(await processor.stop()).toMatchObject({ code: 0, stderr: "" });
  },
);
