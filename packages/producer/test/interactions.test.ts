import { adInteractionSchema, adTypes, eventTypes } from "@adstream/contracts/ad-interaction";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { frameSchemaId } from "@adstream/kafka/wire-format";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { interactionAvro, interactionJson } from "../src/interaction-values.ts";
import { interactions } from "../src/interactions.ts";
import type { Drawn } from "../src/interactions.ts";

function some(seed: number, count: number): Drawn[] {
  const draw = interactions(seed);
  return Array.from({ length: count }, () => ({ ...draw() }));
}

test("the same seed draws the same interactions, another one others", () => {
  expect(some(7, 500)).toEqual(some(7, 500));
  expect(some(8, 500)).not.toEqual(some(7, 500));
});

test("10 campaigns have 100 ads each, which keep campaign and type whatever the seed", () => {
  const ads = new Map<string, string>();
  const campaigns = new Map<string, Set<string>>();
  for (const { ad_id, ad_type, campaign_id, key } of [...some(1, 6_000), ...some(2, 6_000)]) {
    expect(Buffer.from(key).toString()).toBe(ad_id);
    expect(ads.get(ad_id) ?? `${campaign_id} ${ad_type}`).toBe(`${campaign_id} ${ad_type}`);
    ads.set(ad_id, `${campaign_id} ${ad_type}`);
    campaigns.set(campaign_id, (campaigns.get(campaign_id) ?? new Set()).add(ad_id));
  }
  expect([...campaigns.values()].map((its) => its.size)).toEqual(
    Array.from({ length: 10 }, () => 100),
  );
  expect(new Set([...ads.values()].map((text) => text.split(" ")[1]))).toEqual(new Set(adTypes));
});

test("each event type comes as often as the others", () => {
  const all = some(1, 30_000);
  for (const type of eventTypes) {
    expect(all.filter(({ event_type }) => event_type === type).length / all.length).toBeCloseTo(
      1 / 3,
      1.5,
    );
  }
});

/** Epoch ms with a fraction, as schedules have them. */
const due = fc.double({ min: 1_600_000_000_000, max: 2_000_000_000_000, noNaN: true });
const late = fc.nat({ max: 100_000 });
const draw = interactions(1);
const { decode } = avroCodec(adInteractionSchema, { bigintFields: ["event_time_ns"] });

test("JSON and Avro hold the same, in the order of the schema, the event time to the nanosecond", () => {
  const [json, avro] = [interactionJson(), interactionAvro(9)];
  fc.assert(
    fc.property(due, late, (dueMs, lateMs) => {
      const drawn = draw();
      const sentMs = Math.ceil(dueMs) + lateMs;
      const text = Buffer.from(json(drawn, { dueMs, sentMs })).toString();
      const value = avro(drawn, { dueMs, sentMs });
      expect(frameSchemaId(value, 0, value.length)).toBe(9);
      const decoded = { ...Object(decode(value.subarray(5))) };
      expect(Object.keys(JSON.parse(text))).toEqual(Object.keys(decoded));
      const digits = /"event_time_ns":(\d+),/.exec(text)?.[1] ?? "";
      expect(BigInt(digits)).toBe(decoded.event_time_ns);
      expect(Math.abs(Number(decoded.event_time_ns) / 1e6 - dueMs)).toBeLessThan(0.001);
      expect({ ...JSON.parse(text), event_time_ns: 0 }).toEqual({ ...decoded, event_time_ns: 0 });
      const { key: _key, ...fields } = drawn;
      expect(decoded).toMatchObject({
        ...fields,
        window_id: Math.floor(dueMs / 10_000),
        produce_time: sentMs,
      });
    }),
  );
});
