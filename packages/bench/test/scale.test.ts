import { createResults, appendResult } from "@adstream/engine/results";
import { expect, test } from "vitest";
import { Expected } from "../src/scale-expected.ts";
import { measureStates } from "../src/scale-states.ts";
import { measureTurnover } from "../src/scale-turnover.ts";

test("every window of every ad is compared, and a restored task goes on where the checkpoints end", async () => {
  const spec = { ads: 50, events: 1_000, checkpoints: 3, changed: 5 };
  const { states, rows, checkpoints } = await measureStates(spec);
  expect(states).toBe(100);
  // Three windows hold the two panes.
  expect(rows).toEqual({ right: 150, wrong: 0, missing: 0, extra: 0 });
  expect(checkpoints).toHaveLength(3);
});

test("ads that come once are forgotten, and each of their windows is counted", () => {
  const { ads, mostLive, mostKeys, rows } = measureTurnover({ adsPerPane: 2_000, panes: 12 });
  expect(rows).toEqual({ right: 2 * ads, wrong: 0, missing: 0, extra: 0 });
  expect(mostLive).toBeLessThan(3 * 2_000);
  expect(mostKeys).toBeLessThan(2 * mostLive + 2_000);
});

test("a count that is off by one is wrong, a row that is not there is missing", () => {
  const expected = new Expected(3, 1);
  expected.count(0, 0, 5);
  expected.count(2, 0, 7);
  const results = createResults(1);
  for (const [start, records] of [
    [-30, 1],
    [0, 2],
  ] as const) {
    const row = appendResult(results, Buffer.from("ad_0000"));
    results.windowStart[row] = start;
    results.records[row] = records;
    results.sums[0]![row] = 5;
  }
  expected.compare(results, 0, 30);
  expect(expected.verdict()).toEqual({ right: 1, wrong: 1, missing: 2, extra: 0 });
});
