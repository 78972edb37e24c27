import { expect, test } from "vitest";
import { tooSlow } from "../src/report.ts";

const after = (fault: "kill" | "freeze", count: number, totalMs: number) =>
  Array.from({ length: count }, () => ({ fault, totalMs }));

test.each([
  ["nothing was killed", after("freeze", 10, 99_000), 0],
  ["one of few recoveries is slow", [...after("kill", 19, 5_000), ...after("kill", 1, 12_000)], 0],
  ["one of twenty of many is slow", [...after("kill", 95, 5_000), ...after("kill", 5, 12_000)], 0],
  ["more of many are slow", [...after("kill", 94, 5_000), ...after("kill", 6, 12_000)], 1],
  ["one of few takes half a minute", [...after("kill", 19, 5_000), ...after("kill", 1, 31_000)], 1],
])("when %s", (_case, recoveries, complaints) => {
  expect(tooSlow(recoveries)).toHaveLength(complaints);
});
