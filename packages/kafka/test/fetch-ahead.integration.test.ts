import { openPublisher, type Publisher } from "@adstream/kafka/publisher";
import { afterAll, beforeAll, expect, test } from "vitest";

import { startFixture, until, type Fixture } from "./broker-fixture.ts";
import { read, sleep } from "./reading.ts";

const fetchKey = 1;
/** Of each batch; as much as makes a fetch a full one. */
const valueBytes = 100_000;

let fixture: Fixture;
let publisher: Publisher;
beforeAll(async () => {
  fixture = await startFixture();
  publisher = await openPublisher(fixture);
});
afterAll(async () => {
  await publisher[Symbol.asyncDispose]();
  await fixture[Symbol.asyncDispose]();
});

/** Batches of one record, record i filled with i; five make a fetch. */
async function backlog(batches: number): Promise<string> {
  const topic = await fixture.topic(1);
  for (let index = 0; index < batches; index++) {
    await publisher.publish([{ topic, key: "k", value: new Uint8Array(valueBytes).fill(index) }]);
  }
  return topic;
}

function offsets(batches: number): string[] {
  return Array.from({ length: batches }, (_, index) => `0:${index}-${index}`);
}

/** Counts fetches of a topic, and changes nothing. */
function countFetches(topic: string): { readonly hits: number } {
  const action = { delayMs: 0 };
  return fixture.broker.faults.add({ apiKey: fetchKey, topic, count: Infinity, action });
}

test("the next fetch of a backlog is asked for while the handler is busy with the one before", async () => {
  const topic = await backlog(12);
  const fetches = countFetches(topic);
  const { promise: free, resolve } = Promise.withResolvers<"done">();
  await using reading = await read(fixture, topic, { batch: () => free });
  await until(() => fetches.hits === 2);
  await sleep(200);
  expect(fetches.hits).toBe(2);
  resolve("done");
  await until(() => reading.ends.includes("0@12"));
  expect(reading.batches).toEqual(offsets(12));
});

test("what was fetched ahead is dropped where the handler said 'later'", async () => {
  const topic = await backlog(12);
  const fetches = countFetches(topic);
  let ready = false;
  await using reading = await read(fixture, topic, {
    batch: (_partition, _bytes, { baseOffset }) =>
      Promise.resolve(baseOffset < 2 || ready ? "done" : "later"),
  });
  await until(() => reading.batches.length === 3 && fetches.hits === 2);
  await sleep(200);
  ready = true;
  reading.source.resume(0);
  await until(() => reading.ends.includes("0@12"));
  expect(reading.batches).toEqual([...offsets(2), "0:2-2 later", ...offsets(12).slice(2)]);
});

test("what was fetched ahead is dropped where the partition was started elsewhere", async () => {
  const topic = await backlog(12);
  let restarted = false;
  await using reading = await read(fixture, topic, {
    async batch(_partition, _bytes, { baseOffset }) {
      if (baseOffset !== 3 || restarted) return "done";
      restarted = true;
      await sleep(100);
      reading.source.start(0, 1);
      return "done";
    },
  });
  await until(() => reading.ends.includes("0@12"));
  expect(reading.batches).toEqual([...offsets(4), ...offsets(12).slice(1)]);
});

test("K5: a fetch ahead that fails is not overlooked though nothing of it is wanted any more", async () => {
  const topic = await backlog(12);
  const fetches = countFetches(topic);
  const unknownTopic = { errorCode: 3 };
  await using reading = await read(fixture, topic, {
    async batch(_partition, _bytes, { baseOffset }) {
      if (baseOffset === 2) {
        // The fetch ahead of batches 5 to 9 is on its way; that of 10 and 11 fails.
        await until(() => fetches.hits === 2);
        fixture.broker.faults.add({ apiKey: fetchKey, topic, action: unknownTopic });
      }
      return baseOffset < 7 ? "done" : "later";
    },
  });
  await until(() => reading.assignments.length === 2);
});

test("memory is used again for what comes later, not before the handler is done with it", async () => {
  const topic = await backlog(40);
  const memories = new Set<ArrayBufferLike>();
  let damaged = 0;
  await using reading = await read(fixture, topic, {
    reuseBuffers: true,
    async batch(_partition, bytes, { baseOffset }) {
      memories.add(bytes.buffer);
      await sleep(5);
      // The value lies in the middle of its batch.
      if (bytes[valueBytes / 2] !== baseOffset || bytes[valueBytes - 100] !== baseOffset) damaged++;
      return "done";
    },
  });
  await until(() => reading.ends.includes("0@40"));
  expect(damaged).toBe(0);
  expect(reading.batches).toEqual(offsets(40));
  // Eight fetches or more: one buffer is read from while the other one is filled.
  expect(memories.size).toBeLessThanOrEqual(3);
});

test("unless it is told that it may, a source uses no memory again", async () => {
  const topic = await backlog(12);
  const kept: Uint8Array[] = [];
  await using reading = await read(fixture, topic, {
    batch: (_partition, bytes) => {
      kept.push(bytes);
      return Promise.resolve("done");
    },
  });
  await until(() => reading.ends.includes("0@12"));
  expect(kept.map((bytes) => bytes[valueBytes / 2])).toEqual(Array.from(kept.keys()));
});
