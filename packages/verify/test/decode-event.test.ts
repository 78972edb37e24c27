import { adEventSchema } from "@adstream/contracts/ad-event";
import { adInteractionSchema } from "@adstream/contracts/ad-interaction";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { frame } from "@adstream/kafka/wire-format";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createServer, type Server } from "node:http";
import { once } from "node:events";
import { eventDecoder } from "../src/decode-event.ts";
import { isSound } from "../src/event.ts";
import { adStats } from "../src/jobs/ad-stats.ts";
import { campaignCounts } from "../src/jobs/campaign-counts.ts";
import type { CountedJob } from "../src/jobs/job.ts";

const noonMs = Date.UTC(2026, 0, 1, 12);
const noonNs = BigInt(noonMs) * 1_000_000n;

/** Answers with a schema for each id that is registered. */
const schemas: string[] = [];
let server: Server;
let url: string;
beforeAll(async () => {
  server = createServer(({ url: path = "" }, response) => {
    const schema = schemas[Number(path.split("/").at(-1)) - 1];
    if (schema === undefined) response.writeHead(404).end();
    else response.end(JSON.stringify({ schema }));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  url = `http://127.0.0.1:${Reflect.get(Object(server.address()), "port")}`;
});
afterAll(() => server.close());

function decoderOf(job: CountedJob, format: "json" | "avro", withIds = false) {
  return eventDecoder({ job, format, registry: { url }, withIds });
}

const readJson = (text: string | Buffer, job: CountedJob = campaignCounts, withIds = false) =>
  decoderOf(job, "json", withIds)(Buffer.from(text));

const interaction = {
  campaign_id: '"c"',
  event_type: "click",
  event_time_ns: noonNs + 999_999n,
  produce_time: noonMs + 5,
  rest: { event_time_ns: [1] },
};

/** JSON with all digits of bigints. */
function jsonOf(fields: Readonly<Record<string, unknown>>): string {
  const members = Object.entries(fields).map(([name, value]) => {
    return `${JSON.stringify(name)}:${typeof value === "bigint" ? value : JSON.stringify(value)}`;
  });
  return `{${members.join(",")}}`;
}

const click = { views: 0, clicks: 1, purchases: 0, max_produce_time: noonMs + 5 };

describe("an interaction of JSON", () => {
  test("counts by its type, at its time in whole ms, whatever digits follow", async () => {
    expect(await readJson(jsonOf(interaction))).toEqual({
      key: '"c"',
      time: noonMs,
      figures: click,
    });
    const before = { ...interaction, event_time_ns: -1n };
    expect(await readJson(jsonOf(before))).toMatchObject({ time: -1 });
  });

  test("is what JSON.parse says: the last of several fields counts, and escapes are texts", async () => {
    const twice = jsonOf(interaction).replace("{", '{"event_type":7,');
    expect(await readJson(twice)).toMatchObject({ figures: click });
    const escaped = jsonOf(interaction).replace('"campaign_id"', '"campaign\\u005fid"');
    expect(await readJson(escaped)).toMatchObject({ key: '"c"' });
    expect(await readJson(jsonOf({ ...interaction, campaign_id: "é\u2028😀" }))).toMatchObject({
      key: "é\u2028😀",
    });
  });

  test.each([
    ["no JSON", "{"],
    ["no object", "[]"],
    ["nothing", ""],
    ["a type that nobody declared", jsonOf({ ...interaction, event_type: "like" })],
    ["no type", jsonOf({ ...interaction, event_type: null })],
    ["a time that is a text", jsonOf({ ...interaction, event_time_ns: "1" })],
    ["no time", jsonOf({ ...interaction, event_time_ns: undefined }).replace("undefined", "null")],
    ["a time that no calendar has", jsonOf({ ...interaction, event_time_ns: 10n ** 400n })],
    ["half a produce time", jsonOf({ ...interaction, produce_time: 0.5 })],
    ["a produce time before the epoch", jsonOf({ ...interaction, produce_time: -1 })],
    ["a produce time that no calendar has", jsonOf({ ...interaction, produce_time: 8.64e15 + 2 })],
    ["no campaign", jsonOf({ ...interaction, campaign_id: "" })],
    ["a campaign that is a number", jsonOf({ ...interaction, campaign_id: 7 })],
    ["half a character", jsonOf({ ...interaction, campaign_id: "\ud800" })],
    [
      "containers too deep",
      jsonOf(interaction).replace("[1]", "[".repeat(1_000) + "]".repeat(1_000)),
    ],
  ])("is dead with %s", async (_, text) => {
    const event = await readJson(text);
    expect(event !== undefined && isSound(event)).toBe(false);
  });

  test("lives with bytes that are no UTF-8, unless they are in a field that counts", async () => {
    const broken = (field: string): Buffer => {
      const value = Buffer.from(jsonOf({ ...interaction, user_id: "u#", campaign_id: "c#" }));
      const at = value.indexOf(field);
      value[at + 1] = 0xff;
      return value;
    };
    expect(await readJson(broken("u#"))).toMatchObject({ key: "c#" });
    expect(await readJson(broken("c#"))).toBe(undefined);
  });
});

test("an interaction is the same in JSON and in Avro", async () => {
  schemas.push(adInteractionSchema);
  const id = schemas.length;
  const { encode } = avroCodec(adInteractionSchema, { bigintFields: ["event_time_ns"] });
  const readAvro = decoderOf(campaignCounts, "avro");
  const readAsJson = decoderOf(campaignCounts, "json");
  const arbitrary = fc.record({
    user_id: fc.string({ unit: "grapheme" }),
    page_id: fc.constant("p"),
    ad_id: fc.constant("a"),
    ad_type: fc.constant("image"),
    event_type: fc.constantFrom("view", "click", "purchase", "like"),
    event_time_ns: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    window_id: fc.nat(),
    ip_address: fc.constant("10.0.0.1"),
    campaign_id: fc.string({ unit: "grapheme", maxLength: 70 }),
    produce_time: fc.maxSafeInteger(),
  });
  await fc.assert(
    fc.asyncProperty(arbitrary, async (one) => {
      const event = await readAsJson(Buffer.from(jsonOf(one)));
      expect(await readAvro(frame(id, encode(one)))).toEqual(event);
      if (event === undefined) return;
      const floor =
        one.event_time_ns / 1_000_000n - (one.event_time_ns % 1_000_000n < 0n ? 1n : 0n);
      expect(event.time).toBe(Number(floor));
    }),
  );
});

describe("an ad event", () => {
  const sound = {
    ad_id: "a",
    timestamp: noonMs,
    clicks: 1,
    views: 2,
    cost: 0.5,
    event_id: "x",
  };

  async function figuresOf(change: object): Promise<unknown> {
    schemas.push(adEventSchema);
    const { encode } = avroCodec(adEventSchema);
    const value = frame(schemas.length, encode({ ...sound, ...change }));
    const event = await decoderOf(adStats, "avro")(value);
    return event && [event.time, event.figures, event.eventId];
  }

  const counted = [noonMs, { total_clicks: 1, total_views: 2, total_cost: 0.5 }, undefined];

  test("counts its clicks, views and cost, in Avro and JSON", async () => {
    expect(await figuresOf({})).toEqual(counted);
    expect(await readJson(JSON.stringify(sound), adStats)).toMatchObject({ figures: counted[1] });
  });

  test.each([
    ["a negative number", { clicks: -1 }],
    ["a cost of NaN", { cost: Number.NaN }],
    ["an endless cost", { cost: Infinity }],
    ["a negative cost", { cost: -0.01 }],
  ])("is dead with %s", async (_, change) => {
    expect(await figuresOf(change)).toBe(undefined);
  });

  test.each([["clicks"], ["views"], ["cost"]])("is dead without %s", async (field) => {
    expect(await readJson(JSON.stringify({ ...sound, [field]: null }), adStats)).toBe(undefined);
  });

  test("has an id only where ids count, and is dead where that is none", async () => {
    expect(await readJson(JSON.stringify(sound), adStats, true)).toMatchObject({ eventId: "x" });
    const odd = JSON.stringify({ ...sound, event_id: 7 });
    expect(await readJson(odd, adStats)).toMatchObject({ key: "a" });
    expect(await readJson(odd, adStats, true)).toBe(undefined);
  });

  test("says by its schema what its time is counted in, whole longs it does not need included", async () => {
    const schema = JSON.parse(adEventSchema);
    const time = { type: "long", logicalType: "timestamp-micros" };
    schema.fields = schema.fields.map((field: { name: string }) => {
      return field.name === "timestamp" ? { ...field, type: ["null", time] } : field;
    });
    schema.fields.push({ name: "hash", type: "long" });
    schemas.push(JSON.stringify(schema));
    const { encode } = avroCodec(JSON.stringify(schema), { bigintFields: ["hash"] });
    const event = { ...sound, timestamp: noonMs * 1_000 + 999, hash: 2n ** 62n };
    const value = encode(event);
    expect(await decoderOf(adStats, "avro")(frame(schemas.length, value))).toMatchObject({
      time: noonMs,
      figures: counted[1],
    });
  });

  test("cannot be read without a frame, a schema or a value", async () => {
    const read = decoderOf(adStats, "avro");
    const junk = [null, Buffer.of(), Buffer.of(0, 0, 0), frame(4_000_000, Buffer.from("?"))];
    expect(await Promise.all(junk.map(read))).toEqual(junk.map(() => undefined));
  });
});
