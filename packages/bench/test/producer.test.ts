import { expect, test } from "vitest";
import { producerFigures } from "../src/producer.ts";
import type { ProducerRun } from "../src/producer-run.ts";
import { tableText } from "../src/results.ts";

const run: ProducerRun = {
  model: "mmpp",
  due: 600_000,
  acknowledged: 600_000,
  sent: 600_000,
  seconds: 30.006,
  worst: { share: -0.0042, fromMs: 12_345 },
  worstSettled: { share: 0.0031, fromMs: 2_345 },
  delayMs: { p50: 7, p99: 21, max: 60 },
  producer: { cpuMs: 3_000, peakRssMiB: 101.4 },
};

test("a run is one row, each figure in its unit", () => {
  const { tables } = producerFigures("20000 events/s", [run]);
  const [head, row] = tables.map(tableText).join("").split("\n").slice(1);
  expect(head?.split(/ {2,}/).join("|")).toBe(
    "model|due|acknowledged|in the log|events/s|worst 10 s off by %|from s|from 2 s on|late p50 ms|p99|max|CPU s/M|RSS MB",
  );
  expect(row?.split(/ +/).join("|")).toBe(
    "mmpp|600,000|600,000|600,000|19,996|-0.42|12.3|0.31|7|21|60|5.00|101",
  );
});
