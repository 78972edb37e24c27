import { Registry } from "@adstream/service/metrics";
import { describe, expect, test } from "vitest";

import { createRecentSamples, latencyOf } from "../src/latency.ts";
import { sinkMetrics } from "../src/metrics.ts";
import { createProgress } from "../src/progress.ts";
import { adResult } from "./fakes/ad-results.ts";

const noRecord = { partition: 0, offset: 0, timestamp: 0, key: null, value: null };
const nowMs = 1_700_000_100_000;

async function series(registry: Registry): Promise<string[]> {
  const text = await registry.metrics();
  return text
    .split("\n")
    .filter((line) => line.startsWith("adstream_") && !line.includes("_bucket"));
}

test("metrics say what was done to how many documents, and how fast", async () => {
  const registry = new Registry();
  const metrics = sinkMetrics(registry);
  const early = adResult({ status: "early", max_record_time: nowMs - 1_500 });
  const final = adResult({ status: "final", window_end: nowMs - 4_000 });
  const refused = [{ id: "x", reason: "too large" }];
  const counts = { updated: 5, inserted: 3, stale: 2, races: 1, outages: 4, refused };
  metrics.applied({ ...counts, written: [early, final] }, 20, nowMs);
  const refusedRecords = ["a", "b"].map((reason) => ({ ...noRecord, reason }));
  metrics.arrived([
    { superseded: 9, refused: refusedRecords },
    { superseded: 0, refused: refusedRecords.slice(1) },
  ]);
  metrics.deadLetters(5);
  metrics.lag({ records: 7, seconds: 8 });
  metrics.retentionUsed(new Map([[1, 0.5]]));
  metrics.retentionUsed(new Map([[0, 0.25]]));
  metrics.storeAway(true);
  expect(await series(registry)).toEqual([
    'adstream_sink_documents_total{result="updated"} 5',
    'adstream_sink_documents_total{result="inserted"} 3',
    'adstream_sink_documents_total{result="stale"} 2',
    'adstream_sink_documents_total{result="refused"} 1',
    'adstream_sink_retries_total{cause="race"} 1',
    'adstream_sink_retries_total{cause="outage"} 4',
    "adstream_sink_superseded_results_total 9",
    "adstream_sink_undecodable_records_total 3",
    "adstream_sink_dead_letters_total 5",
    "adstream_source_lag_records 7",
    "adstream_source_lag_seconds 8",
    'adstream_sink_retention_used_ratio{partition="0"} 0.25',
    "adstream_sink_store_away 1",
    "adstream_sink_write_seconds_sum 0.02",
    "adstream_sink_write_seconds_count 1",
    "adstream_event_to_mongodb_seconds_sum 1.5",
    "adstream_event_to_mongodb_seconds_count 1",
    "adstream_window_end_to_mongodb_seconds_sum 4",
    "adstream_window_end_to_mongodb_seconds_count 1",
  ]);
});

describe("latency", () => {
  test("counts from the event where its record had no time", () => {
    const result = adResult({ max_record_time: -1, max_event_time: nowMs - 70 });
    expect(latencyOf(result, nowMs).eventToMongoMs).toBe(70);
  });

  test("is never negative, whatever the clocks of others say", () => {
    expect(latencyOf(adResult({ max_record_time: nowMs + 5 }), nowMs).eventToMongoMs).toBe(0);
  });

  test("p99 is of the samples since the last look", () => {
    const samples = createRecentSamples(() => 0.5);
    for (let value = 1; value <= 200; value++) samples.add(value);
    expect(samples.takeP99()).toBe(198);
    expect(samples.takeP99()).toBeUndefined();
  });
});

describe("lag", () => {
  const highs = [10, 20];
  const describePartition = async (partition: number): Promise<ReturnType<typeof info>> =>
    info(highs[partition] ?? 0);
  const info = (high: number) => {
    const where = { clusterId: "c", topic: "t", partitions: 2, committed: undefined };
    return { ...where, low: 0, high };
  };
  const applied = (partition: number, nextOffset: number) => {
    progress.applied([
      {
        partition,
        nextOffset,
        maxTimestamp: nowMs - 3_000,
        results: [],
        records: () => [],
        superseded: 0,
        refused: [],
        canary: "",
      },
    ]);
  };
  const progress = createProgress();

  test("is unknown until every partition has begun", async () => {
    progress.assigned([0, 1]);
    progress.started(0, 4);
    expect(await progress.lag(describePartition, nowMs)).toEqual({
      records: undefined,
      seconds: 0,
    });
    progress.started(1, 20);
    expect(await progress.lag(describePartition, nowMs)).toEqual({ records: 6, seconds: 0 });
  });

  test("is what is not applied, and the age of what is, and 0 at the end", async () => {
    applied(0, 9);
    expect(await progress.lag(describePartition, nowMs)).toEqual({ records: 1, seconds: 3 });
    applied(0, 10);
    expect(await progress.lag(describePartition, nowMs)).toEqual({ records: 0, seconds: 0 });
  });

  test("leaves out partitions that went to others", async () => {
    progress.assigned([1]);
    progress.started(1, 20);
    applied(0, 3);
    expect(await progress.lag(describePartition, nowMs)).toEqual({ records: 0, seconds: 0 });
  });
});
