import type { AdStats } from "@adstream/contracts/ad-stats";
import type { ResultDocument } from "@adstream/contracts/documents";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { mergeResults } from "../src/merge.ts";
import { adResult, hostileAdIds } from "./fakes/ad-results.ts";

const at = new Date("2026-01-02T03:04:05.678Z");

/** Applies results one by one, as if each came in a batch of its own. */
function mergeOneByOne(results: readonly AdStats[]): ResultDocument | undefined {
  let document: ResultDocument | undefined;
  for (const result of results) document = mergeResults(document, [result], at) ?? document;
  return document;
}

describe("a new document", () => {
  test("holds the figures of its only slot", () => {
    const result = adResult({
      version: 8n,
      count: 4,
      total_clicks: 2,
      total_views: 8,
      total_cost: 2,
    });
    expect(mergeResults(undefined, [result], at)).toEqual({
      _id: "2023-11-14T22:13:30.000Z/ad-1",
      ad_id: "ad-1",
      window: { start: new Date(1_700_000_010_000), end: new Date(1_700_000_070_000) },
      count: 4,
      total_clicks: 2,
      total_views: 8,
      total_cost: 2,
      avg_clicks: 0.5,
      avg_views: 2,
      avg_cost: 0.5,
      avg_cost_per_view: 0.25,
      status: "early",
      slots: {
        p0: {
          version: 8n,
          status: "early",
          count: 4,
          total_clicks: 2,
          total_views: 8,
          total_cost: 2,
        },
      },
      updated_at: at,
      rev: 1,
    });
  });

  test.each(hostileAdIds)("takes the ad id %j as it is", (adId) => {
    const document = mergeResults(undefined, [adResult({ ad_id: adId })], at);
    expect(document?._id).toBe(`2023-11-14T22:13:30.000Z/${adId}`);
    expect(document?.["ad_id"]).toBe(adId);
  });
});

describe("averages", () => {
  test("have no cost per view where nobody viewed", () => {
    const document = mergeResults(undefined, [adResult({ total_views: 0, total_cost: 3 })], at);
    expect(document?.["avg_cost_per_view"]).toBeNull();
  });

  test("are 0 in a document whose slots were emptied", () => {
    const empty = adResult({ count: 0, total_clicks: 0, total_views: 0, total_cost: 0 });
    const document = mergeResults(undefined, [empty], at);
    expect([document?.["avg_clicks"], document?.["avg_views"], document?.["avg_cost"]]).toEqual([
      0, 0, 0,
    ]);
  });
});

describe("status", () => {
  const emptied = { count: 0, total_clicks: 0, total_views: 0, total_cost: 0 };

  test("of an emptied slot says nothing about the others", () => {
    const slots = [
      adResult({ slot: 0, version: 9n, status: "corrected", ...emptied }),
      adResult({ slot: 1, status: "final" }),
    ];
    expect(mergeResults(undefined, slots, at)?.status).toBe("final");
  });

  test("is corrected where nothing is left, and the document stays to outrank older results", () => {
    const before = mergeResults(undefined, [adResult({ version: 8n })], at);
    const version = 1n << 48n;
    const after = mergeResults(
      before,
      [adResult({ version, status: "corrected", ...emptied })],
      at,
    );
    expect(after).toMatchObject({ count: 0, total_cost: 0, status: "corrected", rev: 2 });
    expect(mergeResults(after, [adResult({ version: 10n })], at)).toBeUndefined();
  });

  test.each([
    [["early", "final", "corrected"], "early"],
    [["final", "corrected", "final"], "corrected"],
    [["final", "final", "final"], "final"],
  ] as const)("of slots %j is %s", (statuses, expected) => {
    const results = statuses.map((status, slot) => adResult({ slot, status }));
    expect(mergeResults(undefined, results, at)?.status).toBe(expected);
  });

  test("is reopened by a new slot", () => {
    const done = mergeResults(undefined, [adResult({ slot: 0, status: "final" })], at);
    expect(mergeResults(done, [adResult({ slot: 7, status: "early" })], at)?.status).toBe("early");
  });
});

describe("versions", () => {
  test.each([
    ["older", 4n],
    ["equal", 6n],
  ])("%s ones change nothing", (_, version) => {
    const document = mergeResults(undefined, [adResult({ version: 6n })], at);
    expect(mergeResults(document, [adResult({ version })], at)).toBeUndefined();
  });

  test("are compared beyond the range of doubles", () => {
    const newer = (7n << 48n) | 9_007_199_254_741n;
    const document = mergeResults(undefined, [adResult({ version: newer, count: 1 })], at);
    expect(
      mergeResults(document, [adResult({ version: newer - 1n, count: 5 })], at),
    ).toBeUndefined();
    expect(mergeResults(document, [adResult({ version: newer + 1n, count: 5 })], at)?.count).toBe(
      5,
    );
  });

  test("of one slot say nothing about another", () => {
    const document = mergeResults(undefined, [adResult({ slot: 1, version: 100n, count: 3 })], at);
    const merged = mergeResults(document, [adResult({ slot: 0, version: 2n, count: 4 })], at);
    expect([merged?.count, merged?.rev]).toEqual([7, 2]);
  });
});

const resultsOfOneDocument = fc.array(
  fc.record({
    slot: fc.nat(12),
    version: fc.bigInt(0n, 40n),
    cost: fc.integer({ min: 1, max: 9 }),
  }),
  { minLength: 1, maxLength: 40 },
);

describe("in any order, with repeats, in any batches", () => {
  test("every slot ends with its highest version", () => {
    fc.assert(
      fc.property(resultsOfOneDocument, (given) => {
        const document = mergeOneByOne(given.map((part) => adResult(part)));
        for (const { slot } of given) {
          const versions = given.filter((part) => part.slot === slot).map((part) => part.version);
          const highest = versions.reduce((a, b) => (a > b ? a : b));
          expect(document?.slots[`p${slot}`]?.version).toBe(highest);
        }
      }),
    );
  });

  test("the document is the same to the bit but for rev", () => {
    const shuffled = resultsOfOneDocument.chain((given) =>
      fc.tuple(
        fc.constant(given),
        fc.shuffledSubarray([...given, ...given], { minLength: given.length * 2 }),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([given, other]) => {
        const atOnce = mergeResults(
          undefined,
          given.map((part) => adResult(part)),
          at,
        );
        const reordered = mergeOneByOne(other.map((part) => adResult(part)));
        expect({ ...reordered, rev: 0 }).toEqual({ ...atOnce, rev: 0 });
        expect(Object.keys(reordered?.slots ?? {})).toEqual(Object.keys(atOnce?.slots ?? {}));
      }),
    );
  });

  test("totals are the sums over slots in slot order", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(20), { minLength: 1 }), (slots) => {
        const results = slots.map((slot) => adResult({ slot, total_cost: 0.1 + slot / 3 }));
        const document = mergeOneByOne(results);
        const ordered = results.toSorted((a, b) => a.slot - b.slot);
        expect(document?.["total_cost"]).toBe(
          ordered.reduce((sum, part) => sum + part.total_cost, 0),
        );
        expect(document?.count).toBe(ordered.reduce((sum, part) => sum + part.count, 0));
      }),
    );
  });
});
