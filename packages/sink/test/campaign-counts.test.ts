import { campaignCountsShape as shape } from "@adstream/contracts/campaign-counts";
import type { CampaignCounts } from "@adstream/contracts/campaign-counts";
import { Long } from "mongodb";
import { expect, test } from "vitest";

import { documentDecoder, encodeFigures } from "../src/document-codec.ts";
import { mergeResults, resultDocumentId } from "../src/merge.ts";
import { resultParser } from "../src/parse-result.ts";

const at = new Date("2026-02-01T00:00:00Z");
const start = Date.UTC(2026, 0, 31, 12);

function counts(given: Partial<CampaignCounts> = {}): CampaignCounts {
  return {
    campaign_id: "c1",
    window_start: start,
    window_end: start + 10_000,
    slot: 0,
    version: 2n,
    status: "final",
    count: 3,
    views: 2,
    clicks: 1,
    purchases: 0,
    max_event_time: start + 9_000,
    max_record_time: -1,
    max_produce_time: start + 9_100,
    ...given,
  };
}

const slots = [
  counts(),
  counts({ slot: 2, count: 4, views: 1, purchases: 3, max_produce_time: start + 9_050 }),
  // Emptied by an upgrade: what it says of a maximum means nothing.
  counts({ slot: 1, count: 0, views: 0, clicks: 0, max_produce_time: start + 9_999 }),
];

test("slots are summed, and the highest of those with records is kept", () => {
  expect(mergeResults(undefined, slots, at, shape)).toEqual({
    _id: "2026-01-31T12:00:00.000Z/c1",
    campaign_id: "c1",
    window: { start: new Date(start), end: new Date(start + 10_000) },
    count: 7,
    views: 3,
    clicks: 2,
    purchases: 3,
    max_produce_time: start + 9_100,
    status: "final",
    slots: {
      p0: expect.objectContaining({ count: 3, views: 2, max_produce_time: start + 9_100 }),
      p1: expect.objectContaining({ count: 0 }),
      p2: expect.objectContaining({ count: 4, purchases: 3 }),
    },
    updated_at: at,
    rev: 1,
  });
  expect(mergeResults(undefined, slots.slice(2), at, shape)).toMatchObject({
    count: 0,
    views: 0,
    max_produce_time: null,
    status: "corrected",
  });
});

test("a result is what the shape says, and a document lies under its campaign", () => {
  const parse = resultParser(shape);
  const { version, views, ...rest } = counts();
  expect(parse({ ...rest, version: Number(version), views: BigInt(views) })).toEqual(counts());
  expect(parse(rest)).toMatch(/views: /);
  expect(parse({ ...counts(), campaign_id: "" })).toMatch(/campaign_id: /);
  expect(parse({ ...counts(), clicks: -1 })).toMatch(/clicks: /);
  expect(resultDocumentId(counts(), shape)).toBe("2026-01-31T12:00:00.000Z/c1");
});

test("a document comes back from MongoDB as it was merged, and another job's is not one of ours", () => {
  for (const results of [slots, slots.slice(2)]) {
    const merged = mergeResults(undefined, results, at, shape);
    if (merged === undefined) throw new Error("nothing merged");
    const { count, status, updated_at, rev } = merged;
    const raw = encodeFigures({ ...merged, count, status, slots: merged.slots, updated_at, rev });
    expect(raw["slots"].p1.version).toEqual(Long.fromNumber(2));
    expect(documentDecoder(shape)(raw)).toEqual(merged);
    const { p1: broken } = raw["slots"];
    const lacking = { ...raw, slots: { p1: { ...broken, clicks: undefined } } };
    expect(documentDecoder(shape)(lacking)).toBeUndefined();
    expect(documentDecoder({ ...shape, key: "ad_id" })(raw)).toBeUndefined();
  }
});
