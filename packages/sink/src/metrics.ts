import { Counter, Gauge, Histogram, type Registry } from "@adstream/service/metrics";

import type { ApplyOutcome } from "./apply-tally.ts";
import type { Arrival } from "./intake-queue.ts";
import { latencyOf } from "./latency.ts";
import type { Lag } from "./progress.ts";

/** What the sink counts; every figure is since the start of the process. */
export interface SinkMetrics {
  applied(outcome: ApplyOutcome, tookMs: number, nowMs: number): void;
  arrived(arrivals: readonly Pick<Arrival, "refused" | "superseded">[]): void;
  deadLetters(records: number): void;
  lag(lag: Lag): void;
  /** By partition; partitions that are left out went to others. */
  retentionUsed(ratios: ReadonlyMap<number, number>): void;
  storeAway(away: boolean): void;
}

const latencyBuckets = [0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 3_600];
const writeBuckets = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];

export function sinkMetrics(registry: Registry): SinkMetrics {
  const registers = [registry];
  const documents = new Counter({
    name: "adstream_sink_documents_total",
    help: "Documents by what was done with them; stale ones held everything already",
    labelNames: ["result"],
    registers,
  });
  const retries = new Counter({
    name: "adstream_sink_retries_total",
    help: "Batches read and tried again: after another writer, or after an outage of MongoDB",
    labelNames: ["cause"],
    registers,
  });
  const superseded = new Counter({
    name: "adstream_sink_superseded_results_total",
    help: "Results that newer ones of their slots superseded before they were written: many say that MongoDB is behind",
    registers,
  });
  const undecodable = new Counter({
    name: "adstream_sink_undecodable_records_total",
    help: "Records on the results topic that are no results and became dead letters",
    registers,
  });
  const deadLetters = new Counter({
    name: "adstream_sink_dead_letters_total",
    help: "Records of the results topic that got into no document, by repeats more than once",
    registers,
  });
  const gauges = lagGauges(registry);
  const { write, event, windowEnd } = latencyHistograms(registry);
  return {
    ...gauges,
    applied(outcome, tookMs, nowMs) {
      const { updated, inserted, stale, refused, races, outages, written } = outcome;
      documents.inc({ result: "updated" }, updated);
      documents.inc({ result: "inserted" }, inserted);
      documents.inc({ result: "stale" }, stale);
      documents.inc({ result: "refused" }, refused.length);
      retries.inc({ cause: "race" }, races);
      retries.inc({ cause: "outage" }, outages);
      write.observe(tookMs / 1_000);
      for (const result of written) {
        const { eventToMongoMs, windowEndToMongoMs } = latencyOf(result, nowMs);
        if (eventToMongoMs !== undefined) event.observe(eventToMongoMs / 1_000);
        if (windowEndToMongoMs !== undefined) windowEnd.observe(windowEndToMongoMs / 1_000);
      }
    },
    arrived(arrivals) {
      for (const arrival of arrivals) {
        superseded.inc(arrival.superseded);
        undecodable.inc(arrival.refused.length);
      }
    },
    deadLetters: (records) => deadLetters.inc(records),
  };
}

function lagGauges(registry: Registry): Pick<SinkMetrics, "lag" | "retentionUsed" | "storeAway"> {
  const gauge = (name: string, help: string): Gauge =>
    new Gauge({ name, help, registers: [registry] });
  const records = gauge(
    "adstream_source_lag_records",
    "Results in the log that are not in MongoDB",
  );
  const seconds = gauge(
    "adstream_source_lag_seconds",
    "Age of the newest result in MongoDB where others are behind it; 0 at the log end",
  );
  const retention = new Gauge({
    name: "adstream_sink_retention_used_ratio",
    help: "Age of the next result for MongoDB against the retention of its topic; at 1 results are lost",
    labelNames: ["partition"],
    registers: [registry],
  });
  const away = gauge("adstream_sink_store_away", "1 while MongoDB is waited for");
  return {
    lag(lag) {
      if (lag.records !== undefined) records.set(lag.records);
      seconds.set(lag.seconds);
    },
    retentionUsed(ratios) {
      retention.reset();
      for (const [partition, ratio] of ratios)
        retention.set({ partition: String(partition) }, ratio);
    },
    storeAway: (isAway) => away.set(isAway ? 1 : 0),
  };
}

function latencyHistograms(
  registry: Registry,
): Readonly<Record<"write" | "event" | "windowEnd", Histogram>> {
  const histogram = (name: string, help: string, buckets: number[]): Histogram =>
    new Histogram({ name, help, buckets, registers: [registry] });
  return {
    write: histogram("adstream_sink_write_seconds", "One batch into MongoDB", writeBuckets),
    event: histogram(
      "adstream_event_to_mongodb_seconds",
      "From the newest event of an early or corrected result to MongoDB",
      latencyBuckets,
    ),
    windowEnd: histogram(
      "adstream_window_end_to_mongodb_seconds",
      "From the end of a window to its final result in MongoDB",
      latencyBuckets,
    ),
  };
}
