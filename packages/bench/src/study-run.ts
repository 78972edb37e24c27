import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { topicSpecs } from "@adstream/contracts/topics";
import type { Admin, Kafka } from "kafkajs";
import type { ArrivalModel } from "@adstream/traffic/arrivals";
import { startMeasured, type Usage } from "./measured-process.ts";
import { readAll } from "./read-results.ts";
import { type Spread, spread } from "./result-latency.ts";
import type { Servers } from "./servers.ts";
import type { StudyOptions } from "./study-options.ts";
import { openRecount, studyWindowMs } from "./study-recount.ts";
import { type StudyResult, studyResult } from "./study-results.ts";
import { type StudyVerdict, studyVerdict } from "./study-verdict.ts";

export type StudyRun = StudyVerdict & {
  readonly model: ArrivalModel;
  /** Events that the log acknowledged to the producers. */
  readonly acknowledged: number;
  /** Events on the raw topic. */
  readonly inLog: number;
  /** Records that the processor set aside, by the topics they are in. */
  readonly late: number;
  readonly deadLetters: number;
  readonly resultRecords: number;
  /** How far behind its event time an event was sent. */
  readonly sentLate: Spread;
  readonly producers: readonly Usage[];
  readonly processor: Usage;
};

const program = (service: string): string =>
  fileURLToPath(new URL(`../../../packages/${service}/src/main.ts`, import.meta.url));
const readyPatienceMs = 60_000;
/** The last windows: nothing comes that would close them. */
const idleTimeoutMs = 10_000;
/** From the last event to the last final result: more than the idle timeout. */
const finishPatienceMs = idleTimeoutMs + 60_000;
const pollMs = 200;

/** One model: topics of its own, a processor, the producers, and then both topics read by somebody else. */
export async function runStudy(
  model: ArrivalModel,
  options: StudyOptions,
  { servers, kafka, admin }: { servers: Servers; kafka: Kafka; admin: Admin },
): Promise<StudyRun> {
  const name = `study-${model}-${randomBytes(4).toString("hex")}`;
  const topics = {
    EVENTS_TOPIC: `${name}-events`,
    RESULTS_TOPIC: `${name}-results`,
    DEAD_LETTER_TOPIC: `${name}-dead`,
    LATE_TOPIC: `${name}-late`,
    AUDIT_TOPIC: `${name}-audit`,
  };
  const environment = {
    ...servers.environment,
    ...topics,
    JOB: "campaign-counts",
    EVENTS_FORMAT: options.format,
    HTTP_PORT: "0",
    LOG_LEVEL: "info",
  };
  await createStudyTopics(admin, topics, options.partitions);
  const checkpoints = await mkdtemp(join(tmpdir(), "adstream-study-"));
  try {
    const processor = startProcessor(name, options, {
      ...environment,
      CHECKPOINT_URL: `file:${checkpoints}`,
    });
    await processor.assigned;
    const produced = await Promise.all(
      Array.from({ length: options.producers }, (_, index) =>
        produce(model, options, index, environment),
      ),
    );
    const acknowledged = produced.reduce((sum, one) => sum + one.acknowledged, 0);
    await processor.finished(acknowledged);
    const usage = await processor.stop();
    const recount = openRecount(options.format);
    await readAll(kafka, admin, topics.EVENTS_TOPIC, (value) => recount.add(value));
    const raw = recount.done();
    const results: StudyResult[] = [];
    await readAll(kafka, admin, topics.RESULTS_TOPIC, (value, at) =>
      results.push(studyResult(value, at)),
    );
    return {
      ...studyVerdict(raw, results),
      model,
      acknowledged,
      inLog: raw.events,
      late: await recordsIn(admin, topics.LATE_TOPIC),
      deadLetters: await recordsIn(admin, topics.DEAD_LETTER_TOPIC),
      resultRecords: results.length,
      sentLate: spread([...raw.sentLateMs]),
      producers: produced.map((one) => one.usage),
      processor: usage,
    };
  } finally {
    await rm(checkpoints, { recursive: true });
    await admin.deleteTopics({ topics: Object.values(topics) });
  }
}

/** With the settings that the pipeline gives them. */
async function createStudyTopics(
  admin: Admin,
  topics: Readonly<Record<string, string>>,
  partitions: number,
): Promise<void> {
  const { EVENTS_TOPIC = "", RESULTS_TOPIC = "", DEAD_LETTER_TOPIC = "" } = topics;
  const { LATE_TOPIC = "", AUDIT_TOPIC = "" } = topics;
  const names = {
    events: EVENTS_TOPIC,
    results: RESULTS_TOPIC,
    deadLetters: DEAD_LETTER_TOPIC,
    late: LATE_TOPIC,
    audit: AUDIT_TOPIC,
  };
  const specs = topicSpecs(names, { partitions });
  await admin.createTopics({
    waitForLeaders: true,
    topics: specs
      .filter(({ topic }) => Object.values(topics).includes(topic))
      .map(({ topic, config }) => ({
        topic,
        numPartitions: partitions,
        configEntries: Object.entries(config).map(([entry, value]) => ({ name: entry, value })),
      })),
  });
}

type Processor = {
  readonly assigned: Promise<void>;
  /** Resolves when so many events are applied and no window is open, or after a while. */
  finished(events: number): Promise<void>;
  stop(): Promise<Usage>;
};

function startProcessor(
  name: string,
  { delayMs, emitInterval, onlyFinal }: StudyOptions,
  environment: Readonly<Record<string, string>>,
): Processor {
  const assigned = Promise.withResolvers<void>();
  const progress = { applied: 0, openWindows: 0 };
  const child = startMeasured({
    program: program("processor"),
    environment: {
      ...environment,
      PROCESSOR_GROUP: name,
      WINDOW_SIZE: `${studyWindowMs}ms`,
      WINDOW_SLIDE: `${studyWindowMs}ms`,
      WATERMARK_DELAY: `${delayMs}ms`,
      ALLOWED_LATENESS: "0s",
      IDLE_TIMEOUT: `${idleTimeoutMs}ms`,
      ...(emitInterval === undefined ? {} : { EMIT_INTERVAL: emitInterval }),
      EMIT: onlyFinal ? "final" : "early",
    },
    onLine(line) {
      if (line.includes(`"partitions assigned"`)) assigned.resolve();
    },
    onMessage(message) {
      const tasks: unknown = Reflect.get(Object(message), "tasks");
      if (!Array.isArray(tasks)) return;
      progress.applied = sumOf(tasks, "in");
      progress.openWindows = sumOf(tasks, "openWindows");
    },
  });
  child.usage.catch(assigned.reject);
  const late = (): void => assigned.reject(new Error("the processor got no partitions"));
  setTimeout(late, readyPatienceMs).unref();
  return {
    assigned: assigned.promise,
    async finished(events) {
      const end = performance.now() + finishPatienceMs;
      while (performance.now() < end) {
        if (progress.applied >= events && progress.openWindows === 0) return;
        await new Promise((resolve) => setTimeout(resolve, pollMs));
      }
    },
    stop() {
      child.stop();
      return child.usage;
    },
  };
}

function sumOf(tasks: readonly unknown[], field: string): number {
  return tasks.reduce<number>((sum, task) => sum + Number(Reflect.get(Object(task), field)), 0);
}

/** One producer from its start to its end. Each has a seed of its own. */
async function produce(
  model: ArrivalModel,
  { rate, durationMs, seed, producers }: StudyOptions,
  index: number,
  environment: Readonly<Record<string, string>>,
): Promise<{ acknowledged: number; usage: Usage }> {
  let acknowledged = 0;
  const child = startMeasured({
    program: program("producer"),
    environment: {
      ...environment,
      PRODUCER_MODEL: model,
      PRODUCER_RATE: String(rate),
      PRODUCER_DURATION: `${durationMs}ms`,
      PRODUCER_MAX_BEHIND: "1h",
      PRODUCER_SEED: String(seed * producers + index),
    },
    onMessage(message) {
      acknowledged = Number(Reflect.get(Object(message), "produced") ?? acknowledged);
    },
  });
  const usage = await child.usage;
  return { usage, acknowledged };
}

async function recordsIn(admin: Admin, topic: string): Promise<number> {
  const offsets = await admin.fetchTopicOffsets(topic);
  return offsets.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);
}
