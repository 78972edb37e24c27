import { expect, test } from "vitest";
import { recoveryFigures } from "../src/recovery.ts";

test("what the kill loop measured is shown in seconds, with what it counted again", () => {
  const quantiles = { count: 4, p50: 3_800, p95: 7_600, p99: 9_800, max: 13_300 };
  const { setting, tables } = recoveryFigures(
    {
      servers: "embedded servers",
      faults: { "processor kill": 3, "sink kill": 1 },
      documents: { there: 400 },
      recoveryMs: quantiles,
      phasesMs: { assigned: quantiles },
      problems: [],
    },
    "6s",
  );
  expect(setting).toBe(
    "3 processor kill, 1 sink kill; session timeout 6s; embedded servers; 400 documents counted again, all right",
  );
  expect(tables[0]?.rows).toEqual([
    ["to its first new result", 4, 3.8, 7.6, 9.8, 13.3],
    ["of those, noticed and assigned", 4, 3.8, 7.6, 9.8, 13.3],
    ["state claimed and restored", 0, null, null, null, null],
    ["first result", 0, null, null, null, null],
  ]);
});
