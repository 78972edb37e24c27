import { adStatsSchema, adStatsShape } from "@adstream/contracts/ad-stats";
import { jobContracts } from "@adstream/contracts/jobs";
import { type Result, resultSchema, resultStatuses } from "@adstream/contracts/result-shape";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { createCursor } from "@adstream/kafka/byte-cursor";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { resultParser } from "../src/parse-result.ts";
import { composeResultScan, createScanned, type ResultScan } from "../src/result-scan.ts";
import { adResult, hostileAdIds } from "./fakes/ad-results.ts";

const codec = avroCodec(adStatsSchema, { bigintFields: ["version"] });
const parse = resultParser();
const largest = 2n ** 63n - 1n;

function composed(schema = adStatsSchema, shape = adStatsShape): ResultScan {
  const scan = composeResultScan(schema, shape);
  if (scan === undefined) throw new Error("no scan");
  return scan;
}

/** @returns what the scan says of a sound result, undefined where it does not know */
function scanned(bytes: Uint8Array, scan = composed()): object | undefined {
  const into = createScanned();
  if (!scan(createCursor(bytes), into)) return undefined;
  const { windowStart, slot, epoch, step, keyStart, keyEnd } = into;
  const key = Buffer.from(bytes).toString("latin1", keyStart, keyEnd);
  return { windowStart, slot, version: (BigInt(epoch) << 48n) + BigInt(step), key };
}

/** The same, by decoder and parser. */
function decoded(bytes: Uint8Array): object | undefined {
  let result: Result | string;
  try {
    result = parse(codec.decode(bytes));
  } catch {
    return undefined;
  }
  if (typeof result === "string") return undefined;
  const { window_start: windowStart, slot, version, ad_id: key } = result;
  return { windowStart, slot, version, key };
}

const long = fc.oneof(
  fc.integer({ min: -2, max: 2 }),
  fc.maxSafeInteger(),
  fc.constantFrom(8.64e15, 8.64e15 + 1, -8.64e15, Number.MAX_SAFE_INTEGER),
);
const whatever = fc.record({
  ad_id: fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom(...hostileAdIds, "x".repeat(257))),
  window_start: long,
  window_end: long,
  slot: fc.oneof(fc.nat(3), fc.integer()),
  version: fc.oneof(fc.bigInt(0n, largest), fc.bigInt(-largest, largest)),
  status: fc.constantFrom(...resultStatuses),
  count: long,
  total_clicks: long,
  total_views: long,
  total_cost: fc.double(),
  max_event_time: long,
  max_record_time: long,
});
const sound = fc.record({
  ad_id: fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 256 }),
  window_start: fc.integer({ min: -1e12, max: 2e12 }),
  version: fc.bigInt(0n, largest),
  slot: fc.nat(),
  total_cost: fc.double({ noNaN: true, noDefaultInfinity: true }),
  count: fc.nat(),
  total_clicks: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  total_views: fc.nat(),
});

describe("a scan", () => {
  test("knows every sound result of an ASCII key, and finds what the decoder finds", () => {
    fc.assert(
      fc.property(sound, (given) => {
        const result = adResult({ ...given, window_end: given.window_start + 60_000 });
        const bytes = codec.encode(result);
        expect(scanned(bytes)).toEqual(decoded(bytes));
        expect(scanned(bytes)).toBeDefined();
      }),
      { numRuns: 500 },
    );
  });

  test("takes no result that the parser refuses", () => {
    fc.assert(
      fc.property(whatever, (given) => {
        const bytes = codec.encode(given);
        const found = scanned(bytes);
        if (found !== undefined) expect(found).toEqual(decoded(bytes));
      }),
      { numRuns: 5_000 },
    );
  });

  test("takes no bytes that the decoder refuses", () => {
    const change = fc.record({ at: fc.nat(), to: fc.nat(255), cut: fc.nat(3), more: fc.nat(1) });
    fc.assert(
      fc.property(sound, fc.array(change, { minLength: 1, maxLength: 3 }), (given, changes) => {
        const window_end = given.window_start + 60_000;
        let bytes = codec.encode(adResult({ ...given, window_end }));
        for (const { at, to, cut, more } of changes) {
          bytes[at % bytes.length] = to;
          if (cut === 0) bytes = bytes.subarray(0, at % bytes.length || 1);
          if (cut === 1) bytes = Buffer.concat([bytes, Buffer.alloc(more)]);
        }
        const found = scanned(bytes);
        if (found !== undefined) expect(found).toEqual(decoded(bytes));
      }),
      { numRuns: 5_000 },
    );
  });
});

test.each([Number.NaN, Infinity, -Infinity])("a cost of %d is left to the parser", (total_cost) => {
  const bytes = codec.encode(adResult({ total_cost }));
  expect([scanned(bytes), decoded(bytes)]).toEqual([undefined, undefined]);
});

test.each(Object.entries(jobContracts))(
  "there is one for the results of %s",
  (_job, { result }) => {
    expect(composeResultScan(resultSchema(result), result)).toBeDefined();
  },
);

type Schema = { fields: { name: string; type: unknown }[] };

function changed(change: (schema: Schema) => void): string {
  const schema: Schema = JSON.parse(adStatsSchema);
  change(schema);
  return JSON.stringify(schema);
}

test.each<[string, (schema: Schema) => void]>([
  ["a field less", ({ fields }) => void fields.pop()],
  ["a field more", ({ fields }) => void fields.push({ name: "more", type: "long" })],
  [
    "a field of another name",
    ({ fields }) => void fields.splice(0, 1, { name: "id", type: "string" }),
  ],
  [
    "a figure of another type",
    ({ fields }) => {
      const cost = fields.find(({ name }) => name === "total_cost");
      if (cost !== undefined) cost.type = "float";
    },
  ],
  [
    "other statuses",
    ({ fields }) => {
      const status = fields.find(({ name }) => name === "status");
      if (status !== undefined) {
        status.type = { type: "enum", name: "S", symbols: ["final", "early", "corrected"] };
      }
    },
  ],
])("there is none for a schema with %s", (_what, change) => {
  expect(composeResultScan(changed(change), adStatsShape)).toBeUndefined();
});

test("the order of the fields is that of the writer", () => {
  const schema = changed((of) => {
    of.fields = of.fields.toReversed();
  });
  const bytes = avroCodec(schema, { bigintFields: ["version"] }).encode(adResult({ slot: 3 }));
  expect(scanned(bytes, composed(schema))).toEqual(decoded(codec.encode(adResult({ slot: 3 }))));
});
