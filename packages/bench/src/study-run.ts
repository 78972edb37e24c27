import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type TopicSpec, topicSpecs, valueSubject } from "@adstream/contracts/topics";
import { createTopics, deleteTopics } from "@adstream/kafka/topics";
import type { Admin, Kafka } from "kafkajs";
import type { ArrivalModel } from "@adstream/traffic/arrivals";
import {
  type MeasuredOptions,
  type MeasuredProcess,
  startMeasured,
  type Usage,
} from "./measured-process.ts";
import { readAll } from "./read-results.ts";
import { type Spread, spread } from "./result-latency.ts";
import type { Servers } from "./servers.ts";
import type { StudyOptions } from "./study-options.ts";
import { openRecount, studyWindowMs } from "./study-recount.ts";
import { type StudyResult, studyResult } from "./study-results.ts";
import { type StudyVerdict, studyVerdict } from "./study-verdict.ts";
import { connectBench } from "./topics.ts";

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

type Topics = Readonly<
  Record<`${"EVENTS" | "RESULTS" | "DEAD_LETTER" | "LATE" | "AUDIT"}_TOPIC`, string>
>;

export type StudyContext = {
  readonly servers: Servers;
  readonly kafka: Kafka;
  /** Ends the run early. */
  readonly signal: AbortSignal;
};

/**
 * One model: topics of its own, a processor, the producers, and then both topics read by somebody else. Processes,
 * topics and subjects are gone when it is over, also when it failed.
 * @throws the signal's reason, or what its end did to a process
 */
export async function runStudy(
  model: ArrivalModel,
  options: StudyOptions,
  context: StudyContext,
): Promise<StudyRun> {
  const { servers, kafka, signal } = context;
  const name = `study-${model}-${randomBytes(4).toString("hex")}`;
  const topics: Topics = {
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
  await using opened = new AsyncDisposableStack();
  const connection = connectBench(servers.brokers);
  opened.defer(async () => void (await deleteTopics(connection, Object.values(topics))));
  opened.defer(() =>
    removeSubjects(servers.registryUrl, [topics.EVENTS_TOPIC, topics.RESULTS_TOPIC]),
  );
  await createTopics(connection, studySpecs(topics, options.partitions));
  const checkpoints = await mkdtemp(join(tmpdir(), "adstream-study-"));
  opened.defer(() => rm(checkpoints, { recursive: true }));
  signal.throwIfAborted();
  const start = opened.use(startedChildren(signal));
  const processor = startProcessor(start, options, {
    ...environment,
    PROCESSOR_GROUP: name,
    CHECKPOINT_URL: `file:${checkpoints}`,
  });
  await processor.assigned;
  const produced = await Promise.all(
    Array.from({ length: options.producers }, (_, index) =>
      produce(start, { model, options, index, environment }),
    ),
  );
  const acknowledged = produced.reduce((sum, one) => sum + one.acknowledged, 0);
  await processor.finished(acknowledged, signal);
  const usage = await processor.stop();
  signal.throwIfAborted();
  return {
    ...(await readTopics(topics, options, kafka)),
    model,
    acknowledged,
    producers: produced.map((one) => one.usage),
    processor: usage,
  };
}

type Start = (options: MeasuredOptions) => MeasuredProcess;

/** Starts processes that end at the signal, and have ended when it is disposed of. */
function startedChildren(signal: AbortSignal): Start & AsyncDisposable {
  const children: MeasuredProcess[] = [];
  const stop = (): void => {
    for (const child of children) child.stop();
  };
  signal.addEventListener("abort", stop);
  const start: Start = (options) => {
    const child = startMeasured(options);
    children.push(child);
    return child;
  };
  return Object.assign(start, {
    async [Symbol.asyncDispose]() {
      signal.removeEventListener("abort", stop);
      stop();
      await Promise.allSettled(children.map(({ usage }) => usage));
    },
  });
}

async function readTopics(
  topics: Topics,
  { format }: StudyOptions,
  kafka: Kafka,
): Promise<Omit<StudyRun, "model" | "acknowledged" | "producers" | "processor">> {
  await using reading = new AsyncDisposableStack();
  // Of this run alone: one that knew the topics of the run before would ask for them, and they are gone.
  const admin = reading.adopt(kafka.admin(), (opened) => opened.disconnect());
  await admin.connect();
  const recount = openRecount(format);
  await readAll(kafka, admin, topics.EVENTS_TOPIC, (value) => recount.add(value));
  const raw = recount.done();
  const results: StudyResult[] = [];
  await readAll(kafka, admin, topics.RESULTS_TOPIC, (value, at) =>
    results.push(studyResult(value, at)),
  );
  return {
    ...studyVerdict(raw, results),
    inLog: raw.events,
    late: await recordsIn(admin, topics.LATE_TOPIC),
    deadLetters: await recordsIn(admin, topics.DEAD_LETTER_TOPIC),
    resultRecords: results.length,
    sentLate: spread([...raw.sentLateMs]),
  };
}

/** With the settings that the pipeline gives them. */
function studySpecs(topics: Topics, partitions: number): TopicSpec[] {
  const names = {
    events: topics.EVENTS_TOPIC,
    results: topics.RESULTS_TOPIC,
    deadLetters: topics.DEAD_LETTER_TOPIC,
    late: topics.LATE_TOPIC,
    audit: topics.AUDIT_TOPIC,
  };
  const used: ReadonlySet<string> = new Set(Object.values(names));
  return topicSpecs(names, { partitions }).filter(({ topic }) => used.has(topic));
}

/** Of these topics; JSON has none. */
async function removeSubjects(registryUrl: string, topics: readonly string[]): Promise<void> {
  for (const topic of topics) {
    const subject = `${registryUrl}/subjects/${valueSubject(topic)}`;
    const { ok, status } = await fetch(subject, { method: "DELETE" });
    if (!ok && status !== 404) throw new Error(`the registry answers ${status} to ${subject}`);
  }
}

type Processor = {
  readonly assigned: Promise<void>;
  /** Resolves when so many events are applied and no window is open, or after a while, or at the signal. */
  finished(events: number, signal: AbortSignal): Promise<void>;
  stop(): Promise<Usage>;
};

function startProcessor(
  start: Start,
  { delayMs, emitInterval, onlyFinal }: StudyOptions,
  environment: Readonly<Record<string, string>>,
): Processor {
  const assigned = Promise.withResolvers<void>();
  const progress = { applied: 0, openWindows: 0 };
  const child = start({
    program: program("processor"),
    environment: {
      ...environment,
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
  const over = (): void => assigned.reject(new Error("the processor ended without partitions"));
  child.usage.then(over, assigned.reject);
  const late = (): void => assigned.reject(new Error("the processor got no partitions"));
  setTimeout(late, readyPatienceMs).unref();
  return {
    assigned: assigned.promise,
    async finished(events, signal) {
      const end = performance.now() + finishPatienceMs;
      while (performance.now() < end && !signal.aborted) {
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

type ProduceOptions = {
  readonly model: ArrivalModel;
  readonly options: StudyOptions;
  /** From 0. */
  readonly index: number;
  readonly environment: Readonly<Record<string, string>>;
};

/** One producer from its start to its end. Each has a seed of its own. */
async function produce(
  start: Start,
  { model, options, index, environment }: ProduceOptions,
): Promise<{ acknowledged: number; usage: Usage }> {
  const { rate, durationMs, seed, producers } = options;
  let acknowledged = 0;
  const child = start({
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
