import type { StreamError } from "@adstream/engine/errors";
import type { BatchSource } from "@adstream/kafka/batch-source";
import type { ServiceContext } from "@adstream/service/run-service";

import type { ApplyObserver } from "./apply-results.ts";
import type { SinkConfig } from "./config.ts";
import type { ConsumerObserver } from "./consume-results.ts";
import { createRecentSamples, latencyOf } from "./latency.ts";
import { sinkMetrics } from "./metrics.ts";
import { createProgress } from "./progress.ts";
import { createRetentionAlarm } from "./retention-alarm.ts";

/** Everything people and machines are told about a running sink. */
export type Report = Disposable & {
  readonly applier: ApplyObserver;
  readonly consumer: ConsumerObserver;
  /** See `Progress.positions`. */
  readonly positions: () => ReadonlyMap<number, number>;
  /** Whether the last attempt to write failed because MongoDB did not answer. */
  readonly storeAway: () => boolean;
};

type Context = Pick<ServiceContext<SinkConfig>, "config" | "log" | "metrics" | "status">;

/** The topic that is read. */
type Results = {
  readonly source: Pick<BatchSource, "describe">;
  /** Infinity: for ever. */
  readonly retentionMs: number;
};

const statusEveryMs = 1_000;
/** A busy race is worth a line from here on; one or two are everyday. */
const manyRaces = 10;
/** Of one batch; the rest is in the count. */
const maxShown = 10;

export function openReport(context: Context, { source, retentionMs }: Results): Report {
  const { config, log } = context;
  const topic = config.RESULTS_TOPIC;
  const metrics = sinkMetrics(context.metrics);
  const progress = createProgress();
  const alarm = createRetentionAlarm(topic, retentionMs, log);
  const samples = createRecentSamples(Math.random);
  let documents = 0;
  let away = false;
  const setAway = (isAway: boolean): void => {
    if (away && !isAway) log.info("MongoDB answers again");
    away = isAway;
    metrics.storeAway(isAway);
  };
  const waiting = (error: StreamError, delayMs: number): void => {
    log.warn({ err: error, retryInMs: Math.round(delayMs) }, "server does not answer");
  };
  const status = repeat(async () => {
    metrics.retentionUsed(alarm.observe(progress.oldestWaitingMs(Date.now())));
    const lag = await progress.lag((partition) => source.describe(partition), Date.now());
    metrics.lag(lag);
    const { records: lagRecords, seconds: lagSeconds } = lag;
    const eventToMongoP99Ms = samples.takeP99();
    context.status({ documents, lagRecords, lagSeconds, eventToMongoP99Ms, mongoAway: away });
  });
  return {
    positions: () => progress.positions(),
    storeAway: () => away,
    applier: {
      outage(error, _attempt, delayMs) {
        setAway(true);
        waiting(error, delayMs);
      },
      race(racing, attempt) {
        if (attempt > 0 && attempt % manyRaces === 0) {
          log.warn({ documents: racing, attempt }, "documents keep changing under us");
        }
      },
    },
    consumer: {
      applied(outcome, arrivals, tookMs) {
        const nowMs = Date.now();
        setAway(false);
        progress.applied(arrivals);
        metrics.arrived(arrivals);
        metrics.applied(outcome, tookMs, nowMs);
        documents += outcome.updated + outcome.inserted;
        for (const result of outcome.written) {
          const { eventToMongoMs } = latencyOf(result, nowMs);
          if (eventToMongoMs !== undefined) samples.add(eventToMongoMs);
        }
        for (const { id, reason } of outcome.refused.slice(0, maxShown)) {
          log.error({ id, reason, refused: outcome.refused.length }, "document refused by MongoDB");
        }
      },
      refused(records) {
        metrics.deadLetters(records.length);
        for (const { partition, offset, reason } of records.slice(0, maxShown)) {
          const where = { topic, partition, offset: String(offset) };
          log.warn({ ...where, reason, inBatch: records.length }, "record set aside");
        }
      },
      assigned: (partitions) => progress.assigned(partitions),
      started: (partition, offset) => progress.started(partition, offset),
      offered: (...batch) => progress.offered(...batch),
      waiting,
    },
    [Symbol.dispose]: () => status[Symbol.dispose](),
  };
}

/** Runs `task` each second, never twice at once; a failure is the next second's business. */
function repeat(task: () => Promise<void>): Disposable {
  let running = false;
  const timer = setInterval(() => {
    if (running) return;
    running = true;
    void task()
      .catch(() => {})
      .finally(() => (running = false));
  }, statusEveryMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
