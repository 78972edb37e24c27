import { Counter, Gauge } from "@adstream/service/metrics";
import type { Registry } from "@adstream/service/metrics";
import type { Emission } from "./ad-events.ts";

/** What was acknowledged so far, by what it was. */
export type Tally = {
  /** All of them: events, redeliveries and bad ones. */
  readonly records: number;
  /** Is not counted yet. */
  add(sent: Pick<Emission, "kind" | "repeat" | "timing">): void;
  /** @returns counts what was added since the last cut: to be called once, when that is acknowledged */
  cut(): () => void;
  counts(): Counts;
};

export type Counts = {
  readonly produced: number;
  readonly events: number;
  readonly redelivered: number;
  readonly bad: number;
  readonly repeats: number;
  readonly outOfOrder: number;
  readonly late: number;
};

export function openTally(): Tally {
  let counts = noCounts;
  let pending = { ...noCounts };
  return {
    get records() {
      return counts.produced;
    },
    add({ kind, repeat, timing }) {
      pending.produced++;
      if (repeat) pending.repeats++;
      if (kind === "redelivery") pending.redelivered++;
      else if (kind === "bad") pending.bad++;
      else {
        pending.events++;
        if (timing === "late") pending.late++;
        if (timing === "out of order") pending.outOfOrder++;
      }
    },
    cut() {
      const sent = pending;
      pending = { ...noCounts };
      return () => {
        counts = {
          produced: counts.produced + sent.produced,
          events: counts.events + sent.events,
          redelivered: counts.redelivered + sent.redelivered,
          bad: counts.bad + sent.bad,
          repeats: counts.repeats + sent.repeats,
          outOfOrder: counts.outOfOrder + sent.outOfOrder,
          late: counts.late + sent.late,
        };
      };
    },
    counts: () => counts,
  };
}

const noCounts: Counts = {
  produced: 0,
  events: 0,
  redelivered: 0,
  bad: 0,
  repeats: 0,
  outOfOrder: 0,
  late: 0,
};

/** The tally and the schedule as metrics, read when they are scraped. */
export function producerMetrics(
  registry: Registry,
  tally: Tally,
  schedule: { readonly behindMs: () => number; readonly skippedMs: () => number },
): void {
  const counter = (name: string, help: string, labels: Record<string, () => number>): void => {
    const metric = new Counter({
      name,
      help,
      labelNames: ["kind"],
      registers: [],
      collect() {
        this.reset();
        for (const [kind, read] of Object.entries(labels)) this.inc({ kind }, read());
      },
    });
    registry.registerMetric(metric);
  };
  counter("adstream_produced_events_total", "Acknowledged records, by what they are", {
    event: () => tally.counts().events,
    redelivery: () => tally.counts().redelivered,
    bad: () => tally.counts().bad,
  });
  counter("adstream_produced_disorder_total", "Acknowledged events not in order, by how far", {
    late: () => tally.counts().late,
    out_of_order: () => tally.counts().outOfOrder,
  });
  gauge(registry, {
    name: "adstream_producer_behind_seconds",
    help: "How far the schedule is ahead of what was sent",
    readMs: schedule.behindMs,
  });
  gauge(registry, {
    name: "adstream_producer_skipped_seconds",
    help: "Schedule given up because the log was away for longer than can be caught up",
    readMs: schedule.skippedMs,
  });
}

function gauge(
  registry: Registry,
  { name, help, readMs }: { name: string; help: string; readMs: () => number },
): void {
  const metric = new Gauge({
    name,
    help,
    registers: [],
    collect() {
      this.set(readMs() / 1_000);
    },
  });
  registry.registerMetric(metric);
}
