import { adEventSchema } from "@adstream/contracts/ad-event";
import { valueSubject } from "@adstream/contracts/topics";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { connectKafka } from "@adstream/kafka/connection";
import { openPublisher } from "@adstream/kafka/publisher";
import { openSchemaRegistry } from "@adstream/kafka/schema-registry";
import { frame } from "@adstream/kafka/wire-format";
import { kafkaSettings, registrySettings } from "@adstream/service/connection-settings";
import { reachServer } from "@adstream/service/reach-server";
import { runService } from "@adstream/service/run-service";
import { adEvents } from "./ad-events.ts";
import { uniformArrivals } from "./arrivals.ts";
import { environment, flags, trafficSettings } from "./config.ts";
import { openPace } from "./pace.ts";
import { publishTraffic } from "./publish.ts";
import { openTally, producerMetrics } from "./tally.ts";
import { systemClock } from "@adstream/service/system-clock";
import type { ServiceContext } from "@adstream/service/run-service";
import type { ProducerConfig } from "./config.ts";

/** A stall of this length is made up for; of a longer one the rest of the schedule is given up. */
const maxBehindMs = 5_000;
const statusEveryMs = 1_000;

await runService({ name: "producer", environment, flags, main });

async function main(context: ServiceContext<ProducerConfig>): Promise<void> {
  const { config, log, metrics, signal, status } = context;
  const topic = config.EVENTS_TOPIC;
  const schemaId = await registerSchema(context);
  const kafka = connectKafka(kafkaSettings(config, "adstream-producer"), log);
  await using publisher = await reachServer({
    server: "Kafka",
    variable: "KAFKA_BROKERS",
    address: config.KAFKA_BROKERS.join(","),
    connect: () => openPublisher({ kafka, log, signal }),
    log,
    signal,
  });

  const clock = systemClock;
  const startMs = clock.nowMs();
  const pace = openPace({ arrivals: uniformArrivals(config.PRODUCER_RATE), startMs, maxBehindMs });
  const tally = openTally();
  producerMetrics(metrics, tally, {
    behindMs: () => Math.max(0, clock.nowMs() - pace.nextMs()),
    skippedMs: () => pace.skippedMs(),
  });
  const { encode } = avroCodec(adEventSchema);
  const report = setInterval(() => status(tally.counts()), statusEveryMs);
  try {
    context.ready();
    log.info({ topic, schemaId, ...trafficSettings(config) }, "traffic started");
    const count = config.PRODUCER_COUNT ?? Number.POSITIVE_INFINITY;
    const next = adEvents(trafficSettings(config));
    const encoder = { schemaId, encode, frame };
    const publish = publisher.publish.bind(publisher);
    await publishTraffic({ topic, next, encoder, pace, count, publish, tally, clock }, signal);
  } finally {
    clearInterval(report);
    status(tally.counts());
    const seconds = (clock.nowMs() - startMs) / 1_000;
    const totals = { ...tally.counts(), seconds, perSecond: Math.round(tally.records / seconds) };
    log.info({ ...totals, skippedMs: pace.skippedMs() }, "traffic ended");
  }
}

async function registerSchema({
  config,
  log,
  signal,
}: ServiceContext<ProducerConfig>): Promise<number> {
  const registry = openSchemaRegistry({ ...registrySettings(config), log });
  return await reachServer({
    server: "the schema registry",
    variable: "SCHEMA_REGISTRY_URL",
    address: config.SCHEMA_REGISTRY_URL,
    connect: () => registry.register(valueSubject(config.EVENTS_TOPIC), adEventSchema),
    log,
    signal,
  });
}
