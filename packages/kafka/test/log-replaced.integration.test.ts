import { openPublisher, type Publisher } from "@adstream/kafka/publisher";
import { createTopics, deleteTopics } from "@adstream/kafka/topics";
import { afterAll, beforeAll, expect, test } from "vitest";

import { startFixture, until, type Fixture } from "./broker-fixture.ts";
import { read } from "./reading.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

/** Appends batches of so many records. */
async function append(topic: string, sizes: readonly number[], value: string): Promise<void> {
  await using publisher: Publisher = await openPublisher(fixture);
  for (const size of sizes) {
    await publisher.publish(
      Array.from({ length: size }, () => ({ topic, key: "k", value: Buffer.from(value) })),
    );
  }
}

async function topicWith(sizes: readonly number[]): Promise<string> {
  const topic = await fixture.topic(1);
  await append(topic, sizes, "one");
  return topic;
}

async function makeAgain(topic: string, sizes: readonly number[]): Promise<void> {
  await deleteTopics(fixture.kafka, [topic]);
  await createTopics(fixture.kafka, [{ topic, partitions: 1 }]);
  await append(topic, sizes, "another");
}

test("K5: a topic made again while nobody fetches, with batches in the same places: the source ends once it goes on", async () => {
  const topic = await topicWith([10, 10]);
  await using reading = await read(fixture, topic, {
    batch: (partition, _bytes, header) => {
      if (header.baseOffset === 10) reading.source.pause(partition);
      return Promise.resolve("done");
    },
  });
  await until(() => reading.batches.length === 2);
  await makeAgain(topic, [10, 10, 10]);
  reading.source.resume(0);
  await expect(reading.running).rejects.toMatchObject({ code: "LOG_REPLACED", exitCode: 78 });
  expect(reading.batches).toEqual(["0:0-9", "0:10-19"]);
});
