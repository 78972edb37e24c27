import { describe, expect, test } from "vitest";

import { resultParser } from "../src/parse-result.ts";
import { adResult, hostileAdIds } from "./fakes/ad-results.ts";

const parseResult = resultParser();
const largest = 2n ** 63n - 1n;

describe("a result", () => {
  test("is taken as it is", () => {
    const figures = { count: 1, total_clicks: 2, total_views: 3, total_cost: 0.4 };
    const result = adResult({ ...figures, version: largest });
    expect(parseResult(result)).toEqual(result);
  });

  test("may have its longs as numbers or bigints", () => {
    const { version, count, ...rest } = adResult();
    const other = { ...rest, version: Number(version), count: BigInt(count) };
    expect(parseResult(other)).toEqual(adResult());
  });

  test.each(hostileAdIds)("may be of the ad %j", (adId) => {
    expect(parseResult(adResult({ ad_id: adId }))).toEqual(adResult({ ad_id: adId }));
  });
});

test.each<[string, unknown]>([
  ["nothing", null],
  ["a text", "result"],
  ["no ad", { ...adResult(), ad_id: "" }],
  ["an ad of 257 bytes", { ...adResult(), ad_id: `${"é".repeat(128)}x` }],
  ["half a character", { ...adResult(), ad_id: "\uD800" }],
  ["an object for an ad", { ...adResult(), ad_id: { $gt: "" } }],
  ["a window that no calendar has", { ...adResult(), window_start: -8.64e15 - 1 }],
  ["a window that ends before it starts", { ...adResult(), window_end: 0 }],
  ["a negative slot", { ...adResult(), slot: -1 }],
  ["a broken slot", { ...adResult(), slot: 0.5 }],
  ["a negative count", { ...adResult(), count: -1 }],
  ["a cost of NaN", { ...adResult(), total_cost: Number.NaN }],
  ["another status", { ...adResult(), status: "late" }],
])("%s is no result", (_, value) => {
  expect(typeof parseResult(value)).toBe("string");
});
