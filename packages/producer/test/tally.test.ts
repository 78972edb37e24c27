import { Registry } from "@adstream/service/metrics";
import { expect, test } from "vitest";
import { openTally, producerMetrics } from "../src/tally.ts";
import type { Tally } from "../src/tally.ts";

const sent: Parameters<Tally["add"]>[0][] = [
  { kind: "event", repeat: false, timing: "on time" },
  { kind: "event", repeat: true, timing: "late" },
  { kind: "event", repeat: true, timing: "out of order" },
  { kind: "redelivery", repeat: false, timing: "on time" },
  { kind: "bad", repeat: true, timing: "late" },
];

test("records are counted by what they are once they are acknowledged, and metrics say the same", async () => {
  const tally = openTally();
  const registry = new Registry();
  producerMetrics(registry, tally, { behindMs: () => 1_500, skippedMs: () => 250 });
  for (const one of sent) tally.add(one);
  expect([tally.records, tally.counts().events]).toEqual([0, 0]);
  const count = tally.cut();
  tally.add({ kind: "event", repeat: false, timing: "on time" });
  tally.cut();
  expect(tally.records).toBe(0);
  count();
  expect(tally.counts()).toEqual({
    produced: 5,
    events: 3,
    redelivered: 1,
    bad: 1,
    repeats: 3,
    outOfOrder: 1,
    late: 1,
  });
  const text = await registry.metrics();
  expect(text.split("\n").filter((line) => line.startsWith("adstream"))).toEqual([
    'adstream_produced_events_total{kind="event"} 3',
    'adstream_produced_events_total{kind="redelivery"} 1',
    'adstream_produced_events_total{kind="bad"} 1',
    'adstream_produced_disorder_total{kind="late"} 1',
    'adstream_produced_disorder_total{kind="out_of_order"} 1',
    "adstream_producer_behind_seconds 1.5",
    "adstream_producer_skipped_seconds 0.25",
  ]);
  expect(await registry.metrics()).toBe(text);
});
