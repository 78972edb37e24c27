import { expect, test } from "vitest";
import { measureProcessor } from "../src/scale-processor.ts";

test("a processor reads the events of as many ads, and each has its window afterwards", async () => {
  const [few, many] = await measureProcessor({ ads: [10, 500], events: 20_000, runs: 1 });
  expect(few?.rows).toEqual({ right: 10, wrong: 0, missing: 0, extra: 0 });
  expect(many?.rows).toEqual({ right: 500, wrong: 0, missing: 0, extra: 0 });
  expect(few?.cpuSecondsPerMillion).toBeGreaterThan(0);
}, 120_000);
