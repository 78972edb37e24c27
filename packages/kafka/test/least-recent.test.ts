import { leastRecent } from "@adstream/kafka/least-recent";
import { expect, test } from "vitest";

test("beyond its capacity the entry that was not used for longest goes", () => {
  const entries = leastRecent<string, number>(2);
  entries.set("a", 1);
  entries.set("b", 2);
  expect(entries.get("a")).toBe(1);
  entries.set("c", 3);
  expect([entries.get("a"), entries.get("b"), entries.get("c")]).toEqual([1, undefined, 3]);
});

test("setting again replaces and counts as a use", () => {
  const entries = leastRecent<string, number>(2);
  entries.set("a", 1);
  entries.set("b", 2);
  entries.set("a", 3);
  entries.set("c", 4);
  expect([entries.get("a"), entries.get("b")]).toEqual([3, undefined]);
});
