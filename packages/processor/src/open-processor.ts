import { randomBytes, randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { resultSchema } from "@adstream/contracts/result-shape";
import { valueSubject } from "@adstream/contracts/topics";
import { StreamError } from "@adstream/engine/errors";
import type { CheckpointStore } from "@adstream/engine/ports";
import type { ResultHistory } from "@adstream/engine/result-history";
import { TaskRunner } from "@adstream/engine/run-tasks";
import { type ReadPosition, watchForStalls } from "@adstream/engine/stall-watch";
import { replayLimits } from "@adstream/engine/unsaved";
import { connectKafka, type KafkaConnection } from "@adstream/kafka/connection";
import type { Log } from "@adstream/kafka/kafkajs-log";
import { type DecodedLogSource, openLogSource } from "@adstream/kafka/log-source";
import { memberClientId } from "@adstream/kafka/process-identity";
import { openPublisher } from "@adstream/kafka/publisher";
import { readSince } from "@adstream/kafka/read-since";
import { openSchemaRegistry, type SchemaRegistryClient } from "@adstream/kafka/schema-registry";
import { offsetAtTime } from "@adstream/kafka/offset-at-time";
import { retentionOf } from "@adstream/kafka/topic-retention";
import { kafkaSettings, registrySettings } from "@adstream/service/connection-settings";
import type { Registry } from "@adstream/service/metrics";
import { reachServer } from "@adstream/service/reach-server";
import type { ProcessorConfig } from "./config.ts";
import { auditRecord } from "./audit-log.ts";
import { checkpointUrl, openCheckpointStore } from "./checkpoint-store.ts";
import { fetchPace, type FetchPaceOptions } from "./fetch-pace.ts";
import type { Job } from "./job.ts";
import { eventProjection, jobIdentity } from "./job-identity.ts";
import { processorMetrics } from "./metrics.ts";
import type { OutputTopics } from "./output-records.ts";
import { type TaskProgress, taskProgress } from "./progress.ts";
import { operatorOf } from "./operator-flags.ts";
import { resultBytes } from "./result-bytes.ts";
import { publishedReader, resultHistory } from "./result-history.ts";
import { resultLog } from "./result-log.ts";
import { allEvents, runLog } from "./run-log.ts";
import { systemClock } from "@adstream/service/system-clock";
import { readPositions } from "./watchdog.ts";
import { zstdCodec } from "./zstd-codec.ts";

/** A processor that is connected and reads nothing yet. */
export type Processor = AsyncDisposable & {
  /**
   * Reads until the signal aborts, then publishes, checkpoints and commits everything, and leaves the group.
   * @throws {StreamError} what ends the process
   */
  run(signal: AbortSignal): Promise<void>;
  progress(): readonly TaskProgress[];
};

export type ProcessorContext = {
  readonly log: Log;
  readonly metrics: Registry;
  readonly signal: AbortSignal;
};

/** Time a clean stop may take; the service is cut short after 25 s. */
const drainBudgetMs = 20_000;

/** Opens in dependency order; a failed open closes what came before it. */
export async function openProcessor(
  job: Job,
  config: ProcessorConfig,
  { log, metrics, signal }: ProcessorContext,
): Promise<Processor> {
  await using opening = new AsyncDisposableStack();
  const store = await openStore(config, { log, signal });
  const topics: OutputTopics = {
    events: config.EVENTS_TOPIC,
    results: config.RESULTS_TOPIC,
    deadLetters: config.DEAD_LETTER_TOPIC,
    late: config.LATE_TOPIC,
  };
  const registry = openSchemaRegistry({ ...registrySettings(config), log });
  const schemaId = await registerResults(job, registry, config, { log, signal });
  const kafka = connectKafka(kafkaSettings(config, memberClientId("adstream-processor")), log);
  const publisher = opening.use(await openPublisher({ kafka, log, signal }));
  const source = opening.use(
    await openLogSource({
      kafka,
      groupId: config.PROCESSOR_GROUP,
      topic: topics.events,
      sessionTimeoutMs: config.KAFKA_SESSION_TIMEOUT,
      projection: eventProjection(job, config),
      format: config.EVENTS_FORMAT,
      clock: systemClock,
      registry,
      fetchPaceMs: paceOf(config, () => runner.tasks),
      log,
      signal,
    }),
  );
  const runtime = Promise.withResolvers<never>();
  runtime.promise.catch(() => {}); // Read by `run`, which may not have begun.
  const progress = (): TaskProgress[] =>
    runner.tasks.map((owned) =>
      taskProgress(owned, (partition) => source.logEnd(partition), systemClock.nowMs()),
    );
  const identity = jobIdentity(job, config, (partition, time) =>
    offsetAtTime(kafka, topics.events, partition, time),
  );
  const runner = new TaskRunner({
    job: identity,
    onlyFinal: config.EMIT === "final",
    emitIntervalMs: config.EMIT_INTERVAL,
    checkpointIntervalMs: config.CHECKPOINT_INTERVAL,
    replayLimits: replayLimits(await retentionOf(kafka, topics.events, log)),
    unknownSchema: config.UNKNOWN_SCHEMA,
    idleTimeoutMs: config.IDLE_TIMEOUT === 0 ? Number.POSITIVE_INFINITY : config.IDLE_TIMEOUT,
    source,
    results: resultLog(resultBytes(job, schemaId), topics, publisher),
    store,
    codec: zstdCodec,
    clock: systemClock,
    history: historyOf(job, kafka, config),
    operator: operatorOf(config, systemClock, (decision) =>
      publisher.publish([auditRecord(config.AUDIT_TOPIC, identity.name, decision)]),
    ),
    instance: `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`,
    nonce: () => randomBytes(16).toString("hex"),
    events: allEvents(runLog(log), processorMetrics(metrics, progress)),
    fatal: (error) => runtime.reject(error),
  });
  const resources = opening.move();
  return {
    run: (stop) => runUntil(source, runner, runtime, stop),
    progress,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Waits for a bucket that does not answer. */
function openStore(
  { CHECKPOINT_URL: place, STORAGE_EMULATOR_HOST: endpoint }: ProcessorConfig,
  waiting: Pick<ProcessorContext, "log" | "signal">,
): Promise<CheckpointStore> {
  return reachServer({
    server: "the checkpoint store",
    variable: "CHECKPOINT_URL",
    address: checkpointUrl(place),
    connect: () => openCheckpointStore(place, endpoint),
    ...waiting,
  });
}

function paceOf(
  { EMIT, EMIT_INTERVAL }: ProcessorConfig,
  tasks: FetchPaceOptions["tasks"],
): () => number {
  const emitIntervalMs = EMIT === "final" ? Number.POSITIVE_INFINITY : EMIT_INTERVAL;
  return fetchPace({ tasks, emitIntervalMs, clock: systemClock });
}

/** Waits for the registry. @returns the id of the job's result schema */
function registerResults(
  job: Job,
  registry: SchemaRegistryClient,
  { SCHEMA_REGISTRY_URL: address, RESULTS_TOPIC: topic }: ProcessorConfig,
  waiting: Pick<ProcessorContext, "log" | "signal">,
): Promise<number> {
  return reachServer({
    server: "the schema registry",
    variable: "SCHEMA_REGISTRY_URL",
    address,
    connect: () => registry.register(valueSubject(topic), resultSchema(job.result)),
    ...waiting,
  });
}

function historyOf(
  job: Job,
  kafka: KafkaConnection,
  { RESULTS_TOPIC: topic, PROCESSOR_GROUP: groupId }: ProcessorConfig,
): ResultHistory {
  return resultHistory(
    (sinceMs, each) => readSince({ kafka, topic, groupId, sinceMs }, each),
    publishedReader(job),
  );
}

/** Intake stops first, then everything is made durable while we are still a member of the group; then we leave it. */
async function runUntil(
  source: DecodedLogSource,
  runner: TaskRunner,
  runtime: PromiseWithResolvers<never>,
  signal: AbortSignal,
): Promise<void> {
  const closing = new AbortController();
  const positions = (): Promise<ReadPosition[]> => readPositions(runner.tasks, source);
  watchForStalls({ clock: systemClock, positions }, closing.signal).catch(runtime.reject);
  let durable = true;
  const drain = async (): Promise<void> => {
    durable = await runner.drain(drainBudgetMs);
    closing.abort();
  };
  const onAbort = (): void => void drain();
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    await Promise.race([source.run(runner, closing.signal), runtime.promise]);
  } catch (error) {
    closing.abort();
    throw error;
  }
  if (!durable) {
    const text = "stopped before everything was checkpointed; the next start reads it again";
    throw new StreamError("DRAIN_CUT_SHORT", "stop", text);
  }
}
