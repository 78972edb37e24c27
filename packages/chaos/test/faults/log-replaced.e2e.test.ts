import { topicSpecs } from "@adstream/contracts/topics";
import { createTopics, deleteTopics } from "@adstream/kafka/topics";
import { expect, test } from "vitest";
import type { ServiceName, ServiceProcess } from "../../src/service-process.ts";
import { openPipeline, type Pipeline, produced } from "./fixture/pipeline.ts";
import { patient, startFlow } from "./fixture/proxied.ts";

type Reader = { readonly service: ServiceName; readonly variable: string };

const readers: readonly Reader[] = [
  { service: "processor", variable: "EVENTS_TOPIC" },
  { service: "sink", variable: "RESULTS_TOPIC" },
];

/** A pipeline that has written something, with all of its services stopped. */
async function stoppedPipeline(): Promise<Pipeline> {
  await using opening = new AsyncDisposableStack();
  const pipeline = opening.use(await openPipeline({ partitions: 1, settings: patient }));
  const flow = await startFlow({ pipeline, settings: {} });
  expect(await flow.producer.stop()).toMatchObject({ code: 0 });
  await pipeline.drained(flow.processor);
  expect(await flow.processor.stop()).toMatchObject({ code: 0 });
  await pipeline.exact();
  expect(await flow.sink.stop()).toMatchObject({ code: 0 });
  opening.move();
  return pipeline;
}

/** Another log under the same name, with as many records at least. */
async function makeAgain(pipeline: Pipeline, variable: string, count: number): Promise<void> {
  const { kafka, environment } = pipeline.scope;
  const topic = environment[variable] ?? "";
  await deleteTopics(kafka, [topic]);
  await createTopics(kafka, [{ topic, partitions: 1 }]);
  const producer = kafka.producer();
  await producer.connect();
  const messages = Array.from({ length: count }, (_, i) => ({
    key: `${i}`,
    value: `another ${i}`,
  }));
  await producer.send({ topic, messages });
  await producer.disconnect();
}

async function removeAll(pipeline: Pipeline, variable: string): Promise<void> {
  const { kafka, environment } = pipeline.scope;
  const admin = kafka.admin();
  await admin.connect();
  const topic = environment[variable] ?? "";
  const [end] = await admin.fetchTopicOffsets(topic);
  const partitions = [{ partition: 0, offset: end?.high ?? "0" }];
  await admin.deleteTopicRecords({ topic, partitions });
  await admin.disconnect();
}

async function moreEvents(pipeline: Pipeline): Promise<void> {
  const args = ["--rate=5000", "--count=1000", "--seed=9"];
  expect(await pipeline.start("producer", { name: "more", args }).exited).toMatchObject({
    code: 0,
  });
}

async function restarted(pipeline: Pipeline, service: ServiceName): Promise<ServiceProcess> {
  return pipeline.start(service, { name: `${service}-restarted` });
}

test("topic recreated: a processor halts with 78 and says what to do", async () => {
  await using pipeline = await stoppedPipeline();
  await makeAgain(pipeline, "EVENTS_TOPIC", (await produced(pipeline.scope)) + 10);
  const { code, stderr } = await (await restarted(pipeline, "processor")).exited;
  expect([code, stderr]).toEqual([78, expect.stringMatching(/made again.*accept-new-log/)]);
});

test("topic recreated and shorter: a processor halts with 78", async () => {
  await using pipeline = await stoppedPipeline();
  await makeAgain(pipeline, "EVENTS_TOPIC", 1);
  const { code, stderr } = await (await restarted(pipeline, "processor")).exited;
  expect([code, stderr]).toEqual([78, expect.stringMatching(/accept-new-log/)]);
});

test.each(readers)(
  "topic recreated while it is read: the $service ends, and does not go on in it",
  async ({ service, variable }) => {
    await using pipeline = await openPipeline({ partitions: 1, settings: patient });
    const flow = await startFlow({ pipeline, settings: {} });
    expect(await flow.producer.stop()).toMatchObject({ code: 0 });
    const reader = flow[service];
    await makeAgain(pipeline, variable, 20_000);
    const { code, stderr } = await reader.exited;
    // A member that joins its group just then may find no topic at all.
    if (code === 78) return expect(stderr).toMatch(/made again|does not exist/);
    // It came when the new one was shorter still. The next processor finds that; the next sink begins at its start.
    expect([code, stderr]).toEqual([
      70,
      expect.stringMatching(/was read from offset|OFFSET_OUT_OF_RANGE/),
    ]);
    if (service === "sink") return undefined;
    const { code: then, stderr: words } = await (await restarted(pipeline, service)).exited;
    expect([then, words]).toEqual([78, expect.stringMatching(/accept-new-log/)]);
    return undefined;
  },
);

test.each(readers)(
  "retention passed: the $service halts with 78 and says how many records are gone",
  async ({ service, variable }) => {
    await using pipeline = await stoppedPipeline();
    await moreEvents(pipeline);
    if (service === "sink") {
      const processor = await restarted(pipeline, "processor");
      await pipeline.drained(processor);
      expect(await processor.stop()).toMatchObject({ code: 0 });
    }
    await removeAll(pipeline, variable);
    const { code, stderr } = await (await restarted(pipeline, service)).exited;
    expect([code, stderr]).toEqual([
      78,
      expect.stringMatching(/\d+ records .*(expired|removed by retention)/),
    ]);
  },
);

test("a results topic recreated while the sink is away is read from its start: its offsets went with it", async () => {
  await using pipeline = await stoppedPipeline();
  const { environment, kafka } = pipeline.scope;
  const topic = environment["RESULTS_TOPIC"] ?? "";
  await deleteTopics(kafka, [topic]);
  const names = { events: "e", results: topic, deadLetters: "d", late: "l", audit: "a" };
  const specs = topicSpecs(names, { partitions: 1 });
  await createTopics(
    kafka,
    specs.filter((spec) => spec.topic === topic),
  );
  await moreEvents(pipeline);
  const processor = await restarted(pipeline, "processor");
  await pipeline.drained(processor);
  expect(await processor.stop()).toMatchObject({ code: 0, stderr: "" });
  const sink = await restarted(pipeline, "sink");
  await pipeline.exact();
  expect(await sink.stop()).toMatchObject({ code: 0, stderr: "" });
});
