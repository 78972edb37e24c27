import { expect, test } from "vitest";

import { configFrom } from "../src/config.ts";

test("a job that cannot be counted again is refused, and not compared with a count of nothing", () => {
  expect(configFrom({}).JOB).toBe("ad-stats");
  expect(() => configFrom({ JOB: "campaign-counts" })).toThrow(
    /JOB is "campaign-counts": must be ad-stats: other jobs cannot be counted again yet/,
  );
});
