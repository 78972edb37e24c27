import { jobDefaults } from "@adstream/contracts/jobs";
import { valueSubject } from "@adstream/contracts/topics";
import { connectKafka } from "@adstream/kafka/connection";
import { openPublisher } from "@adstream/kafka/publisher";
import { openSchemaRegistry } from "@adstream/kafka/schema-registry";
import { kafkaSettings, registrySettings } from "@adstream/service/connection-settings";
import { reachServer } from "@adstream/service/reach-server";
import { runService } from "@adstream/service/run-service";
import { seededGaps } from "@adstream/traffic/arrivals";
import { environment, flags, trafficSettings } from "./config.ts";
import { jobs } from "./jobs/jobs.ts";
import { openPace } from "./pace.ts";
import { publishTraffic } from "./publish.ts";
import { openTally, producerMetrics } from "./tally.ts";
import { systemClock } from "@adstream/service/system-clock";
import type { ServiceContext } from "@adstream/service/run-service";
import type { ProducerConfig } from "./config.ts";
import type { Pace } from "./pace.ts";

const statusEveryMs = 1_000;

await runService({
  name: "producer",
  environment,
  flags,
  defaults: (given) => jobDefaults(given("JOB")),
  main,
});

async function main(context: ServiceContext<ProducerConfig>): Promise<void> {
  const { config, log, metrics, signal, status } = context;
  const job = jobs[config.JOB];
  const { EVENTS_TOPIC: topic, EVENTS_FORMAT: format } = config;
  const schemaId = format === "avro" ? await registerSchema(context, job.schema) : undefined;
  const kafka = connectKafka(kafkaSettings(config, "adstream-producer"), log);
  await using publisher = await reachServer({
    server: "Kafka",
    variable: "KAFKA_BROKERS",
    address: config.KAFKA_BROKERS.join(","),
    connect: () => openPublisher({ kafka, log, signal }),
    log,
    signal,
  });
  const blocks = [await publisher.openBlocks(topic), await publisher.openBlocks(topic)] as const;

  const clock = systemClock;
  const startMs = clock.nowMs();
  const pace = openConfiguredPace(config, startMs);
  const tally = openTally();
  producerMetrics(metrics, tally, {
    behindMs: () => Math.max(0, clock.nowMs() - pace.nextMs()),
    skippedMs: () => pace.skippedMs(),
  });
  const report = setInterval(() => status(tally.counts()), statusEveryMs);
  try {
    context.ready();
    log.info({ topic, schemaId, format, ...trafficSettings(config) }, "traffic started");
    const count = config.PRODUCER_COUNT ?? Number.POSITIVE_INFINITY;
    const append = job.open(config, schemaId);
    const publish = publisher.publishBlocks.bind(publisher);
    await publishTraffic({ blocks, append, pace, count, publish, tally, clock }, signal);
  } finally {
    clearInterval(report);
    status(tally.counts());
    const seconds = (clock.nowMs() - startMs) / 1_000;
    const totals = { ...tally.counts(), seconds, perSecond: Math.round(tally.records / seconds) };
    log.info({ ...totals, skippedMs: pace.skippedMs() }, "traffic ended");
  }
}

function openConfiguredPace(config: ProducerConfig, startMs: number): Pace {
  const { PRODUCER_DURATION: durationMs } = config;
  return openPace({
    gaps: seededGaps(config.PRODUCER_MODEL, config.PRODUCER_RATE, config.PRODUCER_SEED),
    startMs,
    maxBehindMs: config.PRODUCER_MAX_BEHIND,
    ...(durationMs === undefined ? {} : { durationMs }),
  });
}

async function registerSchema(
  { config, log, signal }: ServiceContext<ProducerConfig>,
  schema: string,
): Promise<number> {
  const registry = openSchemaRegistry({ ...registrySettings(config), log });
  return await reachServer({
    server: "the schema registry",
    variable: "SCHEMA_REGISTRY_URL",
    address: config.SCHEMA_REGISTRY_URL,
    connect: () => registry.register(valueSubject(config.EVENTS_TOPIC), schema),
    log,
    signal,
  });
}
