import type { AdEvent } from "@adstream/contracts/ad-event";
import { expect, test } from "vitest";
import { requireSound } from "../src/sound-event.ts";

const sound: AdEvent = {
  ad_id: "ad_1",
  timestamp: 1_700_000_000_000,
  clicks: 1,
  views: 9,
  cost: 0.5,
  event_id: null,
};

test.each<[string, Partial<AdEvent>]>([
  ["nothing special", {}],
  ["zeros", { clicks: 0, views: 0, cost: 0, timestamp: 0 }],
  ["the largest figures", { clicks: 2 ** 31 - 1, views: 2 ** 31 - 1, cost: Number.MAX_VALUE }],
  ["an id of 256 bytes", { ad_id: "ä".repeat(128), event_id: "x".repeat(256) }],
  ["an id that is a name of JavaScript", { ad_id: "__proto__" }],
])("an event with %s is sent", (_what, parts) => {
  expect(() => requireSound({ ...sound, ...parts })).not.toThrow();
});

test.each<[string, Partial<AdEvent>]>([
  ["ad_id", { ad_id: "" }],
  ["ad_id", { ad_id: "x".repeat(257) }],
  ["ad_id", { ad_id: "ä".repeat(129) }],
  ["ad_id", { ad_id: "a\ud800" }],
  ["event_id", { event_id: "" }],
  ["event_id", { event_id: "\udc00" }],
  ["timestamp NaN", { timestamp: Number.NaN }],
  ["timestamp Infinity", { timestamp: Number.POSITIVE_INFINITY }],
  ["timestamp 1.5", { timestamp: 1.5 }],
  ["timestamp 1e+300", { timestamp: 1e300 }],
  ["-1 clicks", { clicks: -1 }],
  ["2147483648 clicks", { clicks: 2 ** 31 }],
  ["0.5 views", { views: 0.5 }],
  ["NaN views", { views: Number.NaN }],
  ["cost of -0.01", { cost: -0.01 }],
  ["cost of NaN", { cost: Number.NaN }],
  ["cost of Infinity", { cost: Number.POSITIVE_INFINITY }],
])("Poison corpus: an event with %s is refused at its source", (named, parts) => {
  expect(() => requireSound({ ...sound, ...parts })).toThrow(named);
});
