import { adEventSchema } from "@adstream/contracts/ad-event";
import avro from "avsc";
import { expect, test } from "vitest";
import { latencyOf, ourLatency } from "../src/compare-latency.ts";
import { ProduceTimes } from "../src/produce-times.ts";
import type { ResultRecord } from "../src/read-results.ts";

const type = avro.Type.forSchema(JSON.parse(adEventSchema));
const line = {
  emit: "close",
  cpu_s_under_load: 12.5,
  peak_rss_mb: 150,
  close_ms: { p50: 272, p99: 287, max: 287, min: 3 },
  event_to_first_result_ms: { p50: 5_000, p99: 9_000, max: 9_900, min: 3 },
  rows: 4_000,
  wrong: 2,
  missing: 1,
};

function event(adId: string, timestamp: number): Buffer {
  const body = { ad_id: adId, timestamp, clicks: 1, views: 2, cost: 0.5, event_id: null };
  return Buffer.concat([Buffer.of(0, 0, 0, 0, 1), type.toBuffer(body)]);
}

const final = (at: number, count: number): ResultRecord[] => [
  { at, version: 1n, status: "final", count },
];

/** Five windows of 10 s: the first and the last two are not measured. */
function produced(): ProduceTimes {
  const times = new ProduceTimes();
  for (const startMs of [0, 10_000, 20_000, 30_000, 40_000]) {
    times.add(event("a", startMs + 1_000), startMs + 1_500);
    times.add(event("a", startMs + 9_000), startMs + 9_100);
    times.add(event("b", startMs + 8_000), startMs + 10_200);
  }
  return times;
}

test("windows are dated by the records of the load, the first and the last two left out", () => {
  const { measured, dueMs, lastDueMs } = produced().windowTimes();
  expect(measured).toEqual([10_000, 20_000]);
  expect(dueMs.get("10000/a")).toEqual([11_500, 19_100]);
  expect(lastDueMs.get(10_000)).toBe(20_200);
});

test("our results are late by the window's last event, and right when they count all of the ad's", () => {
  const results = new Map([
    ["10000/a", final(20_300, 2)],
    ["10000/b", final(20_400, 1)],
    ["20000/a", final(30_600, 1)],
  ]);
  const ours = ourLatency(line, produced().windowTimes(), results);
  expect(ours).toMatchObject({ name: "adstream", right: 2, wrong: 2, cpuSeconds: 12.5 });
  expect(ours.close).toMatchObject({ p50: 200, max: 400 });
  expect(ours.first).toBeUndefined();
  const updates = { ...line, emit: "update", event_to_first_result_ms: undefined };
  expect(ourLatency(updates, produced().windowTimes(), results).first?.max).toBe(9_100);
});

test("what the harness measured of another engine; the first result only where there are updates", () => {
  expect(latencyOf("flink", line)).toEqual({
    name: "flink",
    close: { p50: 272, p99: 287, max: 287 },
    first: undefined,
    cpuSeconds: 12.5,
    peakRssMb: 150,
    right: 3_998,
    wrong: 3,
  });
  expect(latencyOf("spark", { ...line, emit: "update" }).first?.p50).toBe(5_000);
  expect(latencyOf("spark", { ...line, close_ms: null }).close).toBeUndefined();
});
