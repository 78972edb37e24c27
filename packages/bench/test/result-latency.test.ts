import { describe, expect, test } from "vitest";
import { adName } from "@adstream/bench/ad-events";
import { rowKey } from "@adstream/bench/oracle";
import { pacedEvents } from "@adstream/bench/paced-events";
import type { ResultRecord } from "@adstream/bench/read-results";
import { resultLatency, spread } from "@adstream/bench/result-latency";
import { latencyWindow, windowTimes } from "@adstream/bench/window-times";

const startMs = Date.UTC(2026, 0, 1);
const load = {
  model: "poisson",
  rate: 200,
  producers: 2,
  ads: 3,
  seed: 5,
  startMs,
  durationMs: 60_000,
} as const;
const partitionOf = Int32Array.of(0, 1, 1);

function record(at: number, count: number, status = "early"): ResultRecord {
  return { at, count, status, version: BigInt(at) };
}

describe("paced events", () => {
  test("are the same however they are taken, each when it is due and not before", () => {
    const whole: number[] = [];
    const pieces: number[] = [];
    const all = pacedEvents(load).take(Number.POSITIVE_INFINITY);
    for (let row = 0; row < all.count; row++) whole.push(all.ad[row] ?? 0, all.time[row] ?? 0);
    const events = pacedEvents(load);
    for (let nowMs = startMs; events.nextMs() !== Number.POSITIVE_INFINITY; nowMs += 7) {
      const { count, ad, time, logTime } = events.take(nowMs);
      for (let row = 0; row < count; row++) {
        pieces.push(ad[row] ?? 0, time[row] ?? 0);
        expect(logTime[row]).toBeLessThanOrEqual(nowMs);
        expect(logTime[row]).toBeGreaterThan(nowMs - 8);
      }
    }
    expect(pieces).toEqual(whole);
  });
});

describe("window times", () => {
  test("a window closes with the first event of its partition that is the delay behind its end", () => {
    const times = windowTimes(load, partitionOf);
    const { measured, closedMs } = times;
    expect(measured.length).toBeGreaterThan(2);
    const all = pacedEvents(load).take(Number.POSITIVE_INFINITY);
    for (const start of measured) {
      for (const partition of [0, 1]) {
        let due = 0;
        for (let row = 0; due === 0 && row < all.count; row++) {
          const behind =
            (all.time[row] ?? 0) >= start + latencyWindow.sizeMs + latencyWindow.delayMs;
          if (behind && partitionOf[all.ad[row] ?? 0] === partition) due = all.logTime[row] ?? 0;
        }
        expect(closedMs.get(start)?.get(partition)).toBe(due);
      }
    }
  });
});

describe("result latency", () => {
  test("takes the final result, and for each event the first that counts it", () => {
    const key = rowKey(startMs, adName(0));
    const times = {
      ...windowTimes(load, partitionOf),
      measured: [startMs],
      dueMs: new Map([[key, [100, 110, 120]]]),
      lastDueMs: new Map([[startMs, 125]]),
      closedMs: new Map([[startMs, new Map([[0, 200]])]]),
      partitionOf: () => 0,
    };
    const results = new Map([[key, [record(105, 1), record(130, 2), record(207, 3, "final")]]]);
    const found = resultLatency(times, results);
    expect(found.closedToFinal).toMatchObject({ count: 1, max: 7 });
    expect(found.lastEventToFinal).toMatchObject({ count: 1, max: 82 });
    expect(found.eventToFirst).toMatchObject({
      count: 3,
      p50: 20,
      max: 87,
      mean: (5 + 20 + 87) / 3,
    });
    expect(resultLatency(times, new Map()).uncounted).toBe(3);
  });

  test("percentiles are samples", () => {
    const hundred = Array.from({ length: 100 }, (_, at) => 100 - at);
    expect(spread(hundred)).toEqual({
      count: 100,
      mean: 50.5,
      p50: 50,
      p90: 90,
      p99: 99,
      max: 100,
    });
  });
});
