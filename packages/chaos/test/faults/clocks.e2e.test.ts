import { adStatsSchema } from "@adstream/contracts/ad-stats";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { readTopic } from "@adstream/verify/recount-topic";
import { expect, test } from "vitest";
import { openRunScope, type RunScope } from "../../src/run-scope.ts";
import type { ServiceProcess } from "../../src/service-process.ts";
import { openPipeline, preload } from "./fixture/pipeline.ts";

const dayMs = 86_400_000;
const clockJumps = preload("process-faults/clock-jumps.ts");

const frameBytes = 5;
/** Quiet is measured from a moment that no two processes share, so no window closes by it here. */
const idleOff = { IDLE_TIMEOUT: "0s" };

/** One event in a hundred is of a host whose clock is a day wrong; far fewer than the breaker takes. */
const wrongEvents = 40;
const soundEvents = 8_000;

test("future and past timestamps, 1 % of input: dead letters and late records, and no record in time is dropped", async () => {
  await using pipeline = await openPipeline();
  const { start } = pipeline;
  const [processor, sink] = [start("processor"), start("sink")];
  const sound = start("producer", { args: [`--count=${soundEvents}`, "--rate=1600", "--seed=1"] });
  // Every partition has a time by then that others can be behind of.
  await sound.until("producing", ({ status }) => Number(status["produced"]) > 500);
  const producers = [
    sound,
    ...[dayMs, -dayMs].map((byMs) =>
      start("producer", {
        name: `producer ${byMs}`,
        args: [`--count=${wrongEvents}`, "--rate=8", "--seed=2"],
        nodeArguments: clockJumps,
        settings: { CLOCK_JUMPS: `0:${byMs}` },
      }),
    ),
  ];
  for (const { exited } of producers) expect(await exited).toMatchObject({ code: 0 });
  await pipeline.drained(processor);
  expect(await processor.stop()).toMatchObject({ code: 0, stderr: "" });
  const { recounted, dead, late } = await pipeline.exact();
  expect(recounted).toMatchObject({ in: soundEvents + 2 * wrongEvents, counted: soundEvents });
  expect(dead.different).toBe(wrongEvents);
  expect(late.different).toBe(wrongEvents);
  expect(await sink.stop()).toMatchObject({ code: 0 });
});

test("a processor's clock that jumps by a day and back changes no byte of any result", async () => {
  await using pipeline = await openPipeline({ settings: idleOff });
  await using other = await openRunScope(pipeline.servers, { partitions: 2 });
  const { start, scope } = pipeline;
  const outputs = Object.fromEntries(
    ["PROCESSOR_GROUP", "RESULTS_TOPIC", "DEAD_LETTER_TOPIC", "LATE_TOPIC"].map((name) => [
      name,
      other.environment[name] ?? "",
    ]),
  );
  const calm = start("processor");
  const shaken = (name: string, jumps: Readonly<Record<string, string>>): ServiceProcess =>
    start("processor", { name, nodeArguments: clockJumps, settings: { ...outputs, ...jumps } });
  const ahead = shaken("processor-ahead", {
    CLOCK_JUMPS: `300:${dayMs},2000:${-dayMs}`,
    CLOCK_JUMPS_FROM: "adstream:processor:applied",
  });
  const args = ["--count=7000", "--rate=1500", "--late-ratio=0.02", "--out-of-order-ratio=0.1"];
  const producer = start("producer", { args });
  // The client of Kafka does not bear the way back: its heartbeats would wait for the clock.
  const { code, stderr } = await ahead.exited;
  expect([code, stderr]).toEqual([70, expect.stringContaining("was set back by 172800 s")]);
  const behind = shaken("processor-behind", { CLOCK_JUMPS: `0:${-dayMs}` });
  expect(await producer.exited).toMatchObject({ code: 0 });
  for (const processor of [calm, behind]) {
    await pipeline.drained(processor);
    expect(await processor.stop()).toMatchObject({ code: 0, stderr: "" });
  }
  const [expected, found] = [await results(scope), await results(other)];
  expect(expected.last.size).toBeGreaterThan(50);
  expect(found.last).toEqual(expected.last);
  const both = [...found.all].filter(([version]) => expected.all.has(version));
  expect(both.length).toBeGreaterThanOrEqual(expected.last.size);
  for (const [version, bytes] of both) expect(bytes, version).toBe(expected.all.get(version));
});

type Results = {
  /** Newest result of each key and slot. */
  readonly last: Map<string, string>;
  /** By key, slot and version: early ones come when it suits each process. */
  readonly all: Map<string, string>;
};

async function results({ kafka, environment }: RunScope): Promise<Results> {
  const { decode } = avroCodec(adStatsSchema, { bigintFields: ["version"] });
  const [last, all] = [new Map<string, string>(), new Map<string, string>()];
  const topic = environment["RESULTS_TOPIC"] ?? "";
  await readTopic({ kafka, topic }, async (_partition, { key, value }) => {
    if (key === null || value === null) throw new Error("a result has a key and a value");
    const { slot, version } = Object(decode(value.subarray(frameBytes)));
    const bytes = value.toString("hex");
    last.set(`${key.toString()} ${slot}`, bytes);
    all.set(`${key.toString()} ${slot} ${version}`, bytes);
  });
  return { last, all };
}
