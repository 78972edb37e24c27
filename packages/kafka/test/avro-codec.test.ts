import { adEventSchema } from "@adstream/contracts/ad-event";
import { adStatsSchema, type AdStats } from "@adstream/contracts/ad-stats";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { avroCodec } from "../src/avro-codec.ts";

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const adStats: fc.Arbitrary<AdStats> = fc.record({
  ad_id: fc.string({ unit: "grapheme", minLength: 1 }),
  window_start: fc.integer({ min: -8.64e15, max: 8.64e15 }),
  window_end: fc.maxSafeInteger(),
  slot: fc.integer(),
  version: int64,
  status: fc.constantFrom("early", "final", "corrected"),
  count: fc.maxSafeNat(),
  total_clicks: fc.maxSafeInteger(),
  total_views: fc.maxSafeInteger(),
  total_cost: fc.double({ noNaN: true }),
  max_event_time: fc.maxSafeInteger(),
  max_record_time: fc.constantFrom(-1, 0, 1_795_236_900_000),
});

const unreadableValue = expect.objectContaining({
  name: "StreamError",
  code: "VALUE_UNREADABLE",
  disposition: "dead-letter",
});

test("a result comes back as it was, its version to the last of 64 bits", () => {
  const { encode, decode } = avroCodec(adStatsSchema, { bigintFields: ["version"] });
  fc.assert(
    fc.property(adStats, (stats) => {
      expect({ ...Object(decode(encode(stats))) }).toEqual(stats);
    }),
  );
});

test("a value written into a buffer is what it is on its own, behind what was there", () => {
  const { encode, encodeInto } = avroCodec(adStatsSchema, { bigintFields: ["version"] });
  fc.assert(
    fc.property(adStats, fc.uint8Array({ maxLength: 20 }), (stats, before) => {
      const alone = encode(stats);
      const expected = Buffer.concat([before, alone]);
      const into = Buffer.alloc(expected.length + 100);
      into.set(before);
      expect(encodeInto(stats, into, before.length)).toBe(expected.length);
      expect(into.subarray(0, expected.length)).toEqual(expected);
      const short = Buffer.alloc(expected.length - 1);
      expect(() => encodeInto(stats, short, before.length)).toThrow(unreadableValue);
    }),
  );
});

test("an ad event comes back as it was", () => {
  const { encode, decode } = avroCodec(adEventSchema);
  const event = { ad_id: "__proto__", timestamp: -1, clicks: 2 ** 31 - 1, views: 0, cost: 0.1 };
  for (const event_id of [null, "e1"]) {
    expect({ ...Object(decode(encode({ ...event, event_id }))) }).toEqual({ ...event, event_id });
  }
});

describe("longs", () => {
  const schema = JSON.stringify({
    type: "record",
    name: "R",
    fields: [
      { name: "number", type: { type: "long", logicalType: "timestamp-millis" } },
      { name: "bigint", type: "long" },
    ],
  });
  const { encode, decode } = avroCodec(schema, { bigintFields: ["bigint"] });
  // Odd and below -2^52: avsc's own long gives +4503599627370496 for the first.
  const traps = [-(2n ** 52n) - 1n, -(2n ** 52n) - 3n, -(2n ** 53n) + 1n, 2n ** 53n - 1n];

  test.for(traps)("%d keeps its sign and its last digit, as number and as bigint", (value) => {
    const back = decode(encode({ number: Number(value), bigint: value }));
    expect({ ...Object(back) }).toEqual({ number: Number(value), bigint: value });
  });

  test.for([2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)])(
    "%d is a bigint, and no number",
    (value) => {
      expect(decode(encode({ number: 0, bigint: value }))).toMatchObject({ bigint: value });
      const bytes = encode({ number: value, bigint: 0 });
      expect(() => decode(bytes)).toThrow(unreadableValue);
    },
  );

  test.for([2n ** 63n, 2 ** 53, 1.5, Number.NaN, "1", null])("%s is not encoded", (value) => {
    expect(() => encode({ number: 0, bigint: value })).toThrow(unreadableValue);
  });

  test("a bigint field that is no long of the schema is a mistake", () => {
    expect(() => avroCodec(schema, { bigintFields: ["version"] })).toThrow(
      expect.objectContaining({ code: "SCHEMA_UNREADABLE" }),
    );
  });
});

describe("values", () => {
  const { encode, decode } = avroCodec(adEventSchema);
  const event = { ad_id: "a", timestamp: 1, clicks: 1, views: 1, cost: 1, event_id: null };

  test.for([2 ** 31, -(2 ** 31) - 1, 2 ** 40])("%d is no int on the way in", (clicks) => {
    expect(() => encode({ ...event, clicks })).toThrow(unreadableValue);
  });

  test("an int beyond 32 bits is refused on the way out", () => {
    const asLong = avroCodec(adEventSchema.replaceAll('"int"', '"long"'));
    const bytes = asLong.encode({ ...event, views: 2 ** 40 });
    expect(() => decode(bytes)).toThrow(unreadableValue);
  });

  test("trailing, missing and too many bytes are refused", () => {
    const bytes = encode(event);
    expect(() => decode(Buffer.concat([bytes, Buffer.alloc(1)]))).toThrow(unreadableValue);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decode(bytes.subarray(0, length))).toThrow(unreadableValue);
    }
    expect(() => decode(encode({ ...event, ad_id: "x".repeat(2 ** 20) }))).toThrow(unreadableValue);
  });

  test("a missing field and another type are refused", () => {
    expect(() => encode({ ad_id: "a" })).toThrow(unreadableValue);
    expect(() => encode({ ...event, cost: "1" })).toThrow(unreadableValue);
    expect(() => encode(null)).toThrow(unreadableValue);
  });

  test("whatever bytes come, the outcome is a value or VALUE_UNREADABLE", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decode(bytes);
        } catch (error) {
          expect(error).toEqual(unreadableValue);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("a list as long as the stack is refused, not a crash", () => {
    const list = avroCodec(
      '{"type":"record","name":"N","fields":[{"name":"next","type":["null","N"]}]}',
    );
    expect(() => list.decode(new Uint8Array(2 ** 20).fill(2))).toThrow(unreadableValue);
  });
});

test.for([
  ["no JSON", "{"],
  ["no record", '"string"'],
  [
    "an array",
    '{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array","items":"null"}}]}',
  ],
  [
    "a map in a union",
    '{"type":"record","name":"R","fields":[{"name":"a","type":["null",{"type":"map","values":"int"}]}]}',
  ],
  [
    "a field __proto__",
    '{"type":"record","name":"R","fields":[{"name":"__proto__","type":"int"}]}',
  ],
  ["a name that is no name", '{"type":"record","name":"R","fields":[{"name":"a b","type":"int"}]}'],
] as const)("a schema with %s is SCHEMA_UNREADABLE", ([, schema]) => {
  expect(() => avroCodec(schema)).toThrow(
    expect.objectContaining({ name: "StreamError", code: "SCHEMA_UNREADABLE" }),
  );
});
