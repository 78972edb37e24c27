import { deadLetterHeaders } from "@adstream/contracts/dead-letter";
import { adEventSchema } from "@adstream/contracts/ad-event";
import { adStatsSchema } from "@adstream/contracts/ad-stats";
import { valueSubject } from "@adstream/contracts/topics";
import { openSchemaRegistry } from "@adstream/kafka/schema-registry";
import { readTopic } from "@adstream/verify/recount-topic";
import { expect, test } from "vitest";
import { scrape } from "./fixture/metrics.ts";
import { openPipeline, produced, sumOf } from "./fixture/pipeline.ts";
import { poisonCorpus, poisonResults } from "./fixture/poison.ts";
import { patient } from "./fixture/proxied.ts";

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const text = (header: unknown): string => String(header);

test("Poison corpus: all 60 frames are dead letters with the right reason, and nobody crashes", async () => {
  await using pipeline = await openPipeline();
  const { start, scope, servers } = pipeline;
  const { EVENTS_TOPIC: topic = "", DEAD_LETTER_TOPIC: deadLetters = "" } = scope.environment;
  const registry = openSchemaRegistry({
    url: servers.environment.SCHEMA_REGISTRY_URL,
    log: silent,
  });
  const corpus = poisonCorpus(await registry.register(valueSubject(topic), adEventSchema));
  expect(corpus).toHaveLength(60);

  const [processor, sink] = [start("processor"), start("sink")];
  const args = ["--rate=1000", "--ads=30", "--seed=17"];
  const producer = start("producer", { args });
  await processor.until("under load", ({ status }) => sumOf(status["tasks"], "in") > 500);
  const sender = scope.kafka.producer();
  await sender.connect();
  for (const { name, value } of corpus) {
    await sender.send({ topic, messages: [{ key: name, value }] });
  }
  await sender.disconnect();
  await producer.until("producing", ({ status }) => Number(status["produced"]) > 2_000);
  expect(await producer.stop()).toMatchObject({ code: 0 });
  expect(await produced(scope)).toBe(Number(producer.status["produced"]) + 60);

  await pipeline.drained(processor);
  expect(await processor.stop()).toMatchObject({ code: 0, stderr: "" });
  const { recounted } = await pipeline.exact();
  expect(recounted.dead).toBe(60);
  expect(await sink.stop()).toMatchObject({ code: 0, stderr: "" });
  const reasons = new Map<string, string>();
  await readTopic({ kafka: scope.kafka, topic: deadLetters }, async (_partition, letter) => {
    reasons.set(text(letter.key), text(letter.headers?.[deadLetterHeaders.reason]));
  });
  expect(Object.fromEntries(reasons)).toEqual(
    Object.fromEntries(corpus.map(({ name, reason }) => [name, reason])),
  );
});

test("poison on the results topic: the sink leaves all of it out, counts it, and goes on", async () => {
  await using pipeline = await openPipeline({ settings: patient });
  const { start, scope, servers } = pipeline;
  const { RESULTS_TOPIC: topic = "" } = scope.environment;
  const registry = openSchemaRegistry({
    url: servers.environment.SCHEMA_REGISTRY_URL,
    log: silent,
  });
  const results = poisonResults(await registry.register(valueSubject(topic), adStatsSchema));
  const sink = start("sink");
  const sender = scope.kafka.producer();
  await sender.connect();
  for (const [index, value] of results.entries()) {
    await sender.send({ topic, messages: [{ key: `poison ${index}`, value }] });
  }
  await sender.disconnect();
  const processor = start("processor");
  const producer = start("producer", { args: ["--rate=1000", "--ads=30", "--count=2000"] });
  expect(await producer.exited).toMatchObject({ code: 0 });
  await pipeline.drained(processor);
  expect(await processor.stop()).toMatchObject({ code: 0, stderr: "" });
  await pipeline.exact();
  expect(await scrape(sink, "adstream_sink_undecodable_records_total")).toBe(results.length);
  expect(await sink.stop()).toMatchObject({ code: 0, stderr: "" });
});
