import { expect, test } from "vitest";
import { MongoClient } from "mongodb";
import { openPipeline } from "./fixture/pipeline.ts";
import { startFlow } from "./fixture/proxied.ts";

test("partition added: keys move, and the slots of each document still add up", async () => {
  await using pipeline = await openPipeline({ partitions: 1 });
  const { environment, kafka } = pipeline.scope;
  const flow = await startFlow({ pipeline, settings: {} });
  const admin = kafka.admin();
  await admin.connect();
  const topic = environment["EVENTS_TOPIC"] ?? "";
  await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
  await admin.disconnect();
  // Producers and processors learn of partitions within a minute; another start is quicker.
  expect(await flow.producer.stop()).toMatchObject({ code: 0 });
  expect(await flow.processor.stop()).toMatchObject({ code: 0 });
  const before = Number(flow.producer.status["produced"]);
  const processor = pipeline.start("processor", { name: "processor-2" });
  const producer = pipeline.start("producer", {
    name: "producer-2",
    args: ["--rate=500", "--ads=30", "--count=3000", "--seed=2"],
  });
  expect(await producer.exited).toMatchObject({ code: 0 });
  await pipeline.drained(processor);
  const { recounted } = await pipeline.exact();
  expect(recounted.in).toBe(before + 3_000);
  await using client = new MongoClient(environment["MONGODB_URL"] ?? "");
  const documents = client.db(environment["MONGODB_DATABASE"]).collection("ad_stats");
  const shared = await documents.countDocuments({
    "slots.p0": { $exists: true },
    $or: [{ "slots.p1": { $exists: true } }, { "slots.p2": { $exists: true } }],
  });
  expect(shared).toBeGreaterThan(0);
  expect(await processor.stop()).toMatchObject({ code: 0, stderr: "" });
  expect(await flow.sink.stop()).toMatchObject({ code: 0, stderr: "" });
});
