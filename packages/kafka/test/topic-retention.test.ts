import { expect, test } from "vitest";
import { parseRetention } from "../src/topic-retention.ts";

test.each([
  ["a setting of its own", "3600000", 3_600_000],
  ["for ever", "-1", Number.POSITIVE_INFINITY],
  ["no setting: Kafka's seven days", undefined, 604_800_000],
])("the retention of a topic with %s", (_, setting, ms) => {
  expect(parseRetention(setting)).toBe(ms);
});
