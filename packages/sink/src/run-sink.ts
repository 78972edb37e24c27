import { jobContracts } from "@adstream/contracts/jobs";
import { resultDeadLetters } from "@adstream/contracts/topics";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { openBatchSource } from "@adstream/kafka/batch-source";
import { connectKafka } from "@adstream/kafka/connection";
import { memberClientId } from "@adstream/kafka/process-identity";
import { openSchemaRegistry } from "@adstream/kafka/schema-registry";
import { retentionOf } from "@adstream/kafka/topic-retention";
import { kafkaSettings, registrySettings } from "@adstream/service/connection-settings";
import { reachServer } from "@adstream/service/reach-server";
import type { ServiceContext } from "@adstream/service/run-service";

import { createResultApplier } from "./apply-results.ts";
import type { SinkConfig } from "./config.ts";
import { consumeResults } from "./consume-results.ts";
import { createDeadLetters } from "./dead-letters.ts";
import { mongoAddress, type OpenDocumentStore, openDocumentStore } from "./open-document-store.ts";
import { createResultReader } from "./read-results.ts";
import { openReport } from "./report.ts";
import { systemClock } from "@adstream/service/system-clock";
import { gatherMs } from "./rest.ts";
import { watchdog } from "./watchdog.ts";

type Context = ServiceContext<SinkConfig>;

/** Results topic to MongoDB, until the signal aborts. Opens in dependency order. */
export async function runSink(context: Context): Promise<void> {
  const { config, log, signal, ready } = context;
  await using store = await reachMongo(context);
  const registry = openSchemaRegistry({ ...registrySettings(config), log });
  const topic = config.RESULTS_TOPIC;
  const shape = jobContracts[config.JOB].result;
  const kafka = connectKafka(kafkaSettings(config, memberClientId("adstream-sink")), log);
  const deadLetterTopic = config.SINK_DEAD_LETTER_TOPIC ?? resultDeadLetters(topic);
  await using letters = createDeadLetters({ kafka, log, topic, deadLetterTopic });
  await using source = await openBatchSource({
    kafka,
    groupId: config.SINK_GROUP,
    topic,
    sessionTimeoutMs: config.KAFKA_SESSION_TIMEOUT,
    fetchPaceMs: () => gatherMs,
    log,
    signal,
  });
  const [clock, random] = [systemClock, Math.random];
  const retentionMs = await retentionOf(kafka, topic, log);
  using report = openReport(context, { source, retentionMs });
  ready();
  const stalled = Promise.withResolvers<never>();
  using _watchdog = watchdog({ source, report, clock }, stalled.reject);
  const consuming = consumeResults(
    {
      topic,
      source,
      read: createResultReader({
        registry,
        compile: (schemaText) => avroCodec(schemaText, { bigintFields: ["version"] }).decode,
        clock,
        shape,
      }),
      deadLetters: (records, ended) => letters.publish(records, ended),
      applier: createResultApplier({ store, clock, random, observer: report.applier, shape }),
      clock,
      random,
      storeAway: report.storeAway,
      observer: report.consumer,
    },
    signal,
  );
  // What stands still may never end.
  await Promise.race([consuming, stalled.promise]);
}

function reachMongo({ config, log, signal }: Context): Promise<OpenDocumentStore> {
  const url = config.MONGODB_URL.reveal();
  return reachServer({
    server: "MongoDB",
    variable: "MONGODB_URL",
    address: mongoAddress(url),
    connect: () =>
      openDocumentStore({
        url,
        database: config.MONGODB_DATABASE,
        collection: config.MONGODB_COLLECTION,
        resultTtlMs: config.RESULT_TTL,
        shape: jobContracts[config.JOB].result,
      }),
    log,
    signal,
  });
}
