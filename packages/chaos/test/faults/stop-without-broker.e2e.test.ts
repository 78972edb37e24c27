import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { openBrokerProcess } from "./fixture/broker-process.ts";
import { openPipeline } from "./fixture/pipeline.ts";
import { startFlow } from "./fixture/proxied.ts";

const maxStopMs = 26_000;

test("SIGTERM while no broker answers: all end in time and say what is not saved, nothing wrong", async () => {
  await using broker = await openBrokerProcess();
  const settings = { KAFKA_BROKERS: broker.brokers, KAFKA_SESSION_TIMEOUT: "6s" };
  await using pipeline = await openPipeline({ settings });
  const { producer, processor, sink } = await startFlow({ pipeline, settings: {} });
  await broker.kill();
  // Whatever the sink had taken in is in MongoDB, and clients are between two of their attempts.
  await sleep(3_000);
  const startedMs = performance.now();
  const ends = await Promise.all([producer, processor, sink].map((service) => service.stop()));
  expect(performance.now() - startedMs).toBeLessThan(maxStopMs);
  expect(ends).toEqual([
    { code: 1, signal: null, stderr: expect.stringContaining("25 s and was cut short") },
    { code: 1, signal: null, stderr: expect.stringContaining("the next start reads it again") },
    { code: 0, signal: null, stderr: "" },
  ]);

  await broker.start();
  const again = pipeline.start("processor", { name: "processor-2" });
  const sinkAgain = pipeline.start("sink", { name: "sink-2" });
  await pipeline.drained(again);
  expect(await again.stop()).toMatchObject({ code: 0, stderr: "" });
  await pipeline.exact();
  expect(await sinkAgain.stop()).toMatchObject({ code: 0, stderr: "" });
});
