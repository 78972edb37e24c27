import { avroCodec } from "@adstream/kafka/avro-codec";
import { openBatchSource } from "@adstream/kafka/batch-source";
import { connectKafka } from "@adstream/kafka/connection";
import { openSchemaRegistry } from "@adstream/kafka/schema-registry";
import { kafkaSettings, registrySettings } from "@adstream/service/connection-settings";
import { reachServer } from "@adstream/service/reach-server";
import type { ServiceContext } from "@adstream/service/run-service";

import { createResultApplier } from "./apply-results.ts";
import type { SinkConfig } from "./config.ts";
import { consumeResults } from "./consume-results.ts";
import { mongoAddress, type OpenDocumentStore, openDocumentStore } from "./open-document-store.ts";
import { createResultReader } from "./read-results.ts";
import { openReport } from "./report.ts";
import { systemClock } from "@adstream/service/system-clock";

type Context = ServiceContext<SinkConfig>;

/** Results topic to MongoDB, until the signal aborts. Opens in dependency order. */
export async function runSink(context: Context): Promise<void> {
  const { config, log, signal, ready } = context;
  await using store = await reachMongo(context);
  const registry = openSchemaRegistry({ ...registrySettings(config), log });
  await using source = await openBatchSource({
    kafka: connectKafka(kafkaSettings(config, "adstream-sink"), log),
    groupId: config.SINK_GROUP,
    topic: config.RESULTS_TOPIC,
    sessionTimeoutMs: config.KAFKA_SESSION_TIMEOUT,
    log,
    signal,
  });
  const [clock, random] = [systemClock, Math.random];
  using report = openReport(context, source);
  ready();
  await consumeResults(
    {
      source,
      read: createResultReader({
        registry,
        compile: (schemaText) => avroCodec(schemaText, { bigintFields: ["version"] }).decode,
        clock,
        undecodable: report.undecodable,
      }),
      applier: createResultApplier({ store, clock, random, observer: report.applier }),
      clock,
      random,
      storeAway: report.storeAway,
      observer: report.consumer,
    },
    signal,
  );
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
      }),
    log,
    signal,
  });
}
