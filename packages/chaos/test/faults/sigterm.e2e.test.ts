import { adStatsSchema } from "@adstream/contracts/ad-stats";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { readTopic } from "@adstream/verify/recount-topic";
import { expect, test } from "vitest";
import type { RunScope } from "../../src/run-scope.ts";
import type { Exit, ServiceProcess } from "../../src/service-process.ts";
import { scrape } from "./fixture/metrics.ts";
import { openPipeline, produced, sumOf } from "./fixture/pipeline.ts";
import { patient } from "./fixture/proxied.ts";

const maxStopMs = 25_000;
const frameBytes = 5;
const offsetBits = 48n;

test("SIGTERM under load: the producer flushes, the processor saves, the sink commits", async () => {
  await using pipeline = await openPipeline({
    settings: { ...patient, CHECKPOINT_INTERVAL: "1h" },
  });
  const { start, scope } = pipeline;
  const args = ["--rate=3000", "--ads=100", "--seed=5"];
  const [producer, processor, sink] = [
    start("producer", { args }),
    start("processor"),
    start("sink"),
  ];
  await processor.until("under load", ({ status }) => sumOf(status["tasks"], "in") > 3_000);
  await sink.until("writing", ({ status }) => Number(status["documents"]) > 0);

  await Promise.all([stopped(processor), stopped(sink)]);
  const shown = await newestOffsets(scope);
  expect(shown.size).toBe(2);
  const sinkAgain = start("sink", { name: "sink-2" });
  const processorAgain = start("processor", { name: "processor-2" });
  await processorAgain.until("acquired", ({ log }) => acquired(log).size === 2);
  // Nothing that the first one had shown is read again.
  for (const [partition, next] of acquired(processorAgain.log)) {
    expect(next, `partition ${partition}`).toBeGreaterThanOrEqual(shown.get(partition) ?? Infinity);
  }

  await stopped(producer);
  expect(await produced(scope)).toBe(producer.status["produced"]);
  await pipeline.drained(processorAgain);
  await stopped(processorAgain);
  await pipeline.exact();
  expect(await scrape(sinkAgain, 'adstream_sink_documents_total{result="stale"}')).toBe(0);
  await stopped(sinkAgain);
});

async function stopped(service: ServiceProcess): Promise<void> {
  const startedMs = performance.now();
  const clean: Partial<Exit> = { code: 0, signal: null, stderr: "" };
  expect(await service.stop(), service.name).toMatchObject(clean);
  expect(performance.now() - startedMs).toBeLessThan(maxStopMs);
}

/** Next offsets of the tasks as they were taken over. */
function acquired(log: ServiceProcess["log"]): Map<number, number> {
  const lines = log.filter(({ msg }) => msg === "task acquired");
  return new Map(lines.map((line) => [Number(line["partition"]), Number(line["nextOffset"])]));
}

/** Of each partition, the offset behind the newest record that any published result holds (protocol 2.2). */
async function newestOffsets({ kafka, environment }: RunScope): Promise<Map<number, number>> {
  const { decode } = avroCodec(adStatsSchema, { bigintFields: ["version"] });
  const newest = new Map<number, number>();
  const topic = environment["RESULTS_TOPIC"] ?? "";
  await readTopic({ kafka, topic }, async (_partition, { value }) => {
    const { slot, version } = Object(decode((value ?? Buffer.alloc(0)).subarray(frameBytes)));
    const next = Number(BigInt.asUintN(Number(offsetBits), BigInt(version)) / 2n);
    newest.set(Number(slot), Math.max(next, newest.get(Number(slot)) ?? 0));
  });
  return newest;
}
