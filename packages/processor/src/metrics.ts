import { holdReasons } from "@adstream/engine/intake";
import type { RunEvents } from "@adstream/engine/run-options";
import { Counter, Gauge, Histogram, type Registry } from "@adstream/service/metrics";
import type { TaskProgress } from "./progress.ts";

const msPerSecond = 1_000;
const checkpointBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Registers the processor's metrics. Figures of tasks are read when somebody scrapes: they are those of the log so far,
 * so they fall to 0 when a task moves to another process and are there again, complete.
 */
export function processorMetrics(
  registry: Registry,
  progress: () => readonly TaskProgress[],
): Partial<RunEvents> {
  taskMetrics(registry, progress);
  const registers = [registry];
  const counter = (name: string, help: string): Counter =>
    new Counter({ name: `adstream_${name}`, help, registers });
  const histogram = (name: string, help: string): Histogram =>
    new Histogram({ name: `adstream_${name}`, help, buckets: checkpointBuckets, registers });
  const fenced = counter("fenced_total", "Tasks lost to another process that claimed them");
  const decisions = counter(
    "idle_decisions_total",
    "Windows closed by decision in quiet partitions",
  );
  const results = counter("results_published_total", "Result records acknowledged by the log");
  const failures = counter("checkpoint_failures_total", "Checkpoints that were not written");
  const bytes = counter("checkpoint_bytes_total", "Compressed bytes of checkpoints written");
  const unreadable = counter("checkpoints_unreadable_total", "Broken checkpoints met at restore");
  const operatorDecisions = counter(
    "operator_decisions_total",
    "Tasks that went on only because an operator allowed it",
  );
  const superseded = counter(
    "results_superseded_total",
    "Slots published anew since code or settings changed after a stop that was not clean",
  );
  const retries = counter("retries_total", "Attempts that had to be made again");
  const duration = histogram("checkpoint_seconds", "Snapshot to durable");
  const pause = histogram("checkpoint_pause_seconds", "Time a task stood still for its snapshot");
  const restore = histogram("restore_seconds", "Assignment to first fetch of a task");
  return {
    acquired(task) {
      restore.observe(task.restoreMs / msPerSecond);
      unreadable.inc(task.unreadable);
    },
    fenced: () => fenced.inc(),
    checkpointed(checkpoint) {
      bytes.inc(checkpoint.bytes);
      duration.observe(checkpoint.durationMs / msPerSecond);
      pause.observe(checkpoint.pauseMs / msPerSecond);
    },
    checkpointFailed: () => failures.inc(),
    decided: () => decisions.inc(),
    published: (output) => results.inc(output.results),
    operatorDecided: () => operatorDecisions.inc(),
    superseded: ({ standing, emptied }) => superseded.inc(standing + emptied),
    retried: () => retries.inc(),
  };
}

function taskMetrics(registry: Registry, progress: () => readonly TaskProgress[]): void {
  const gauge = (name: string, help: string, read: (task: TaskProgress) => number | null): void => {
    registry.registerMetric(
      new Gauge({
        name: `adstream_${name}`,
        help,
        labelNames: ["partition"],
        registers: [],
        collect() {
          this.reset();
          for (const task of progress()) {
            const value = read(task);
            if (value !== null) this.set({ partition: task.partition }, value);
          }
        },
      }),
    );
  };
  gauge("source_lag_records", "Records in the log that are not applied", (task) => task.lagRecords);
  gauge("watermark_delay_seconds", "Log time less watermark", ({ watermarkDelayMs }) =>
    watermarkDelayMs === null ? null : watermarkDelayMs / msPerSecond,
  );
  gauge("open_windows", "Windows that hold records and are not closed", (task) => task.openWindows);
  gauge("keys", "Ads with an open window", (task) => task.keys);
  gauge("state_bytes", "Memory of open windows and event ids", (task) => task.stateBytes);
  gauge("event_ids", "Event ids that redeliveries are told by", (task) => task.eventIds);
  gauge(
    "checkpoint_age_seconds",
    "Since the last checkpoint",
    (task) => task.checkpointAgeMs / msPerSecond,
  );
  gauge(
    "uncheckpointed_bytes",
    "Input that a restart would read again",
    (task) => task.uncheckpointedBytes,
  );
  gauge(
    "uncheckpointed_seconds",
    "Since the first record that no checkpoint holds",
    (task) => task.uncheckpointedMs / msPerSecond,
  );
  intakeMetric(registry, progress);
  const records = new Counter({
    name: "adstream_records_total",
    help: "Records of the log so far by outcome; counted + late + dead + duplicate are all that came in",
    labelNames: ["partition", "outcome"],
    registers: [],
    collect() {
      this.reset();
      for (const { partition, in: seen, late, dead, duplicates } of progress()) {
        this.inc({ partition, outcome: "counted" }, seen - late - dead - duplicates);
        this.inc({ partition, outcome: "late" }, late);
        this.inc({ partition, outcome: "dead" }, dead);
        this.inc({ partition, outcome: "duplicate" }, duplicates);
      }
    },
  });
  registry.registerMetric(records);
}

/** 1 for each reason why a partition is not read. */
function intakeMetric(registry: Registry, progress: () => readonly TaskProgress[]): void {
  const paused = new Gauge({
    name: "adstream_intake_paused",
    help: "1 while no records are taken: rows wait, a decision is written, or checkpoints fail (replay)",
    labelNames: ["partition", "reason"],
    registers: [],
    collect() {
      this.reset();
      for (const { partition, intakeHeld } of progress()) {
        for (const reason of holdReasons) {
          this.set({ partition, reason }, intakeHeld.includes(reason) ? 1 : 0);
        }
      }
    },
  });
  registry.registerMetric(paused);
}
