import { createServer } from "node:net";
import { once } from "node:events";

import { startKafka } from "@adstream/devstack/kafka/server";
import { StreamError } from "@adstream/engine/errors";
import { openBatchSource } from "@adstream/kafka/batch-source";
import { createTopics } from "@adstream/kafka/topics";
import { openPublisher, type Publisher } from "@adstream/kafka/publisher";
import { afterAll, beforeAll, expect, test } from "vitest";

import { connect, memoryLog, startFixture, until, type Fixture } from "./broker-fixture.ts";
import { read, sleep } from "./reading.ts";

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

/** Appends one batch of `count` records. */
function append(topic: string, count: number): Promise<void> {
  return publisher.publish(
    Array.from({ length: count }, () => ({ topic, key: "k", value: Buffer.from("v") })),
  );
}

async function topicWith(...batchSizes: number[]): Promise<string> {
  const topic = await fixture.topic(1);
  for (const size of batchSizes) await append(topic, size);
  return topic;
}

async function withAdmin<T>(
  work: (admin: ReturnType<Fixture["kafka"]["admin"]>) => Promise<T>,
): Promise<T> {
  const admin = fixture.kafka.admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

async function commit(groupId: string, topic: string, offset: number): Promise<void> {
  await using member = await read(fixture, topic, { groupId, assigned: () => {} });
  await until(() => member.assignments.length > 0);
  await member.source.commit(new Map([[0, offset]]));
}

function committed(groupId: string, topic: string): Promise<string | undefined> {
  return withAdmin(async (admin) => {
    const [offsets] = await admin.fetchOffsets({ groupId, topics: [topic] });
    return offsets?.partitions[0]?.offset;
  });
}

function deleteBelow(topic: string, offset: number): Promise<void> {
  const partitions = [{ partition: 0, offset: String(offset) }];
  return withAdmin(async (admin) => {
    await admin.fetchTopicOffsets(topic); // deleteTopicRecords itself does not load the metadata it needs.
    await admin.deleteTopicRecords({ topic, partitions });
  });
}

test("every batch of every partition comes once, in order, and each log end is proven", async () => {
  const topic = await fixture.topic(4);
  const records = Array.from({ length: 1_000 }, (_, i) => ({ topic, key: `k${i}`, value: null }));
  for (let from = 0; from < 1_000; from += 250)
    await publisher.publish(records.slice(from, from + 250));
  await using reading = await read(fixture, topic);
  await until(() => new Set(reading.ends).size >= 4);
  const seen = new Map<number, number>();
  for (const batch of reading.batches) {
    const [partition = 0, from = 0, to = 0] = batch.split(/[:-]/).map(Number);
    expect(from).toBe(seen.get(partition) ?? 0);
    seen.set(partition, to + 1);
  }
  expect([...seen.values()].reduce((sum, next) => sum + next)).toBe(1_000);
  expect([...seen].map(([partition, next]) => `${partition}@${next}`).toSorted()).toEqual(
    [...new Set(reading.ends)].toSorted(),
  );
});

test("an empty partition is at its log end, proven by an empty fetch", async () => {
  await using reading = await read(fixture, await fixture.topic(1));
  await until(() => reading.ends.length >= 3);
  expect(new Set(reading.ends)).toEqual(new Set(["0@0"]));
});

test("the last batch of a fetch proves the log end without waiting for an empty one", async () => {
  const topic = await topicWith(100);
  await using reading = await read(fixture, topic);
  await until(() => reading.ends.length > 0);
  expect(reading.ends[0]).toBe("0@100");
  await append(topic, 50);
  await until(() => reading.ends.includes("0@150"));
  expect(reading.batches).toEqual(["0:0-99", "0:100-149"]);
});

test("a position inside a batch gets the whole batch with the offset that is wanted", async () => {
  const topic = await topicWith(100, 100, 100);
  await using reading = await read(fixture, topic, {
    assigned: () => reading.source.start(0, 150),
  });
  await until(() => reading.ends.includes("0@300"));
  expect(reading.batches).toEqual(["0:100-199@150", "0:200-299"]);
});

test("'later' keeps the position: the batch comes again once the partition is resumed, not before", async () => {
  const topic = await topicWith(10, 10);
  let ready = false;
  await using reading = await read(fixture, topic, {
    batch: () => Promise.resolve(ready ? "done" : "later"),
  });
  await until(() => reading.batches.length === 1);
  await sleep(300);
  expect(reading.batches).toEqual(["0:0-9 later"]);
  ready = true;
  reading.source.resume(0);
  await until(() => reading.ends.includes("0@20"));
  expect(reading.batches).toEqual(["0:0-9 later", "0:0-9", "0:10-19"]);
});

test("a resume that comes while the handler still says 'later' is not lost", async () => {
  const topic = await topicWith(10);
  let calls = 0;
  await using reading = await read(fixture, topic, {
    batch: (partition) => {
      if (calls++ > 0) return Promise.resolve("done");
      reading.source.pause(partition);
      reading.source.resume(partition);
      return Promise.resolve("later");
    },
  });
  await until(() => reading.ends.includes("0@10"));
  expect(reading.batches).toEqual(["0:0-9 later", "0:0-9"]);
});

test("a pause takes effect before the next batch, and a paused partition goes on where it was", async () => {
  const topic = await topicWith(10, 10, 10);
  await using reading = await read(fixture, topic, {
    batch: (partition, _bytes, header) => {
      if (header.baseOffset === 0) reading.source.pause(partition);
      return Promise.resolve("done");
    },
  });
  await until(() => reading.batches.length === 1);
  await sleep(300);
  expect(reading.batches).toEqual(["0:0-9"]);
  reading.source.resume(0);
  await until(() => reading.ends.includes("0@30"));
  expect(reading.batches).toEqual(["0:0-9", "0:10-19", "0:20-29"]);
});

test("K4: a position behind the end of the log stops the source and leaves the group's offset alone", async () => {
  const topic = await topicWith(100);
  await commit(topic, topic, 42);
  await using reading = await read(fixture, topic, {
    assigned: () => reading.source.start(0, 500),
  });
  await expect(reading.running).rejects.toMatchObject({ code: "OFFSET_GAP", disposition: "stop" });
  expect(reading.batches).toEqual([]);
  expect(await committed(topic, topic)).toBe("42");
});

test("K4: records that were deleted under the position stop the source, they are not skipped", async () => {
  const topic = await topicWith(50, 50);
  await deleteBelow(topic, 50);
  await using reading = await read(fixture, topic, {
    assigned: () => reading.source.start(0, 10),
  });
  await expect(reading.running).rejects.toMatchObject({ code: "OFFSET_GAP" });
  expect(reading.batches).toEqual([]);
});

test("K6: a start of a partition that is not assigned leaves nothing behind for a later assignment", async () => {
  const topic = await fixture.topic(2);
  const records = Array.from({ length: 100 }, (_, i) => ({ topic, key: `k${i}`, value: null }));
  await publisher.publish(records);
  await using first = await read(fixture, topic, { sessionTimeoutMs: 1_000 });
  await until(() => new Set(first.ends).size === 2);
  const second = await read(fixture, topic, { sessionTimeoutMs: 1_000 });
  await until(() => second.assignments.length > 0 && first.assignments.length > 1);
  const foreign = second.assignments[0]?.[0] ?? -1;
  expect(first.assignments.at(-1)).not.toContain(foreign);
  first.source.start(foreign, 7);
  first.batches.length = 0;
  await second[Symbol.asyncDispose]();
  await until(() => first.batches.some((batch) => batch.startsWith(`${foreign}:`)));
  const begun = first.batches.find((batch) => batch.startsWith(`${foreign}:`));
  expect(begun).not.toContain("@");
});

test("K7: nothing is fetched before 'start', however long that takes after an assignment", async () => {
  const topic = await topicWith(100);
  await commit(topic, topic, 80);
  const fetch = 1;
  const fault = fixture.broker.faults.add({
    apiKey: fetch,
    topic,
    count: Infinity,
    action: { delayMs: 0 },
  });
  await using reading = await read(fixture, topic, {
    assigned: () => void sleep(500).then(() => reading.source.start(0, 20)),
  });
  await until(() => reading.assignments.length > 0);
  await sleep(300);
  expect(fault.hits).toBe(0);
  await until(() => reading.ends.length > 0);
  fault.remove();
  expect(reading.batches).toEqual(["0:0-99@20"]);
});

test("K8: after every rejoin a partition begins where it is started, not at the committed offset", async () => {
  const topic = await topicWith(10, 10, 10);
  await commit(topic, topic, 10);
  let startAt = 0;
  await using reading = await read(fixture, topic, {
    sessionTimeoutMs: 1_000,
    assigned: (partitions) => {
      for (const one of partitions) reading.source.start(one, startAt);
    },
  });
  await until(() => reading.ends.includes("0@30"));
  startAt = 20;
  reading.batches.length = 0;
  const second = await read(fixture, topic, { sessionTimeoutMs: 1_000, assigned: () => {} });
  await until(() => reading.assignments.length > 1);
  await second[Symbol.asyncDispose]();
  await until(() => reading.batches.length > 0);
  await sleep(300);
  expect(new Set(reading.batches)).toEqual(new Set(["0:20-29"]));
});

test("K11: the flush before a rejoin is awaited, keeps the session and may commit", async () => {
  const topic = await topicWith(10);
  const events: string[] = [];
  await using first = await read(fixture, topic, {
    sessionTimeoutMs: 1_000,
    beforeRejoin: async () => {
      events.push("flush begins");
      await sleep(1_500);
      await first.source.commit(new Map([[0, 7]]));
      events.push("flush ends");
    },
  });
  await until(() => first.ends.length > 0);
  await using second = await read(fixture, topic, {
    sessionTimeoutMs: 1_000,
    assigned: () => events.push("second assigned"),
  });
  await until(() => second.assignments.length > 0);
  expect(events).toEqual(["flush begins", "flush ends", "second assigned"]);
  expect(await committed(topic, topic)).toBe("7");
  expect(fixture.log.lines.filter((line) => line.includes("not aware of this member"))).toEqual([]);
});

test("K12: a handler that takes three sessions for one batch stays in the group", async () => {
  const topic = await topicWith(10);
  await using reading = await read(fixture, topic, {
    sessionTimeoutMs: 600,
    batch: async () => {
      await sleep(1_800);
      return "done";
    },
  });
  await until(() => reading.ends.includes("0@10"));
  await sleep(300);
  expect(reading.batches).toEqual(["0:0-9"]);
  expect(reading.assignments).toEqual([[0]]);
});

test("K13: what was fetched with it is not handed out once a heartbeat has found the group rebalancing", async () => {
  const topic = await fixture.topic(4);
  const records = Array.from({ length: 400 }, (_, i) => ({ topic, key: `k${i}`, value: null }));
  await publisher.publish(records);
  const events: string[] = [];
  await using first = await read(fixture, topic, {
    sessionTimeoutMs: 4_000,
    batch: async (partition) => {
      events.push(`batch ${partition}`);
      if (events.length > 1) return "done";
      await second.promise;
      await sleep(2_500); // Two heartbeats: one of them finds the rebalance.
      return "done";
    },
    beforeRejoin: () => {
      events.push("rejoin");
      return Promise.resolve();
    },
  });
  const second = Promise.withResolvers<void>();
  await until(() => events.length === 1);
  await using other = await read(fixture, topic, { sessionTimeoutMs: 4_000, assigned: () => {} });
  second.resolve();
  await until(() => other.assignments.length > 0);
  expect(events.slice(0, 2)).toEqual([events[0], "rejoin"]);
  await until(() => first.assignments.length > 1);
});

test("K14: a crash of the client ends the run with an error that has an exit code", async () => {
  const topic = await fixture.topic(1);
  const joinGroup = 11;
  const groupAuthorizationFailed = 30;
  const fault = fixture.broker.faults.add({
    apiKey: joinGroup,
    action: { errorCode: groupAuthorizationFailed },
  });
  await using reading = await read(fixture, topic);
  await expect(reading.running).rejects.toMatchObject({ code: "NOT_AUTHORIZED", exitCode: 64 });
  expect(fault.hits).toBe(1);
});

test.each([
  ["a StreamError as it is", new StreamError("BATCH_CORRUPT", "stop", "x"), "BATCH_CORRUPT"],
  ["a RangeError as INTERNAL", new RangeError("x"), "INTERNAL"],
  ["a plain Error as INTERNAL, not retried for ever", new Error("x"), "INTERNAL"],
])("K15: what the handler throws ends the run: %s", async (_what, error, code) => {
  const topic = await topicWith(10);
  await using reading = await read(fixture, topic, { batch: () => Promise.reject(error) });
  await expect(reading.running).rejects.toMatchObject({ code });
  expect(reading.batches).toEqual([]);
});

test("an abort finishes the batch in hand, flushes while still a member, and leaves the group", async () => {
  const topic = await topicWith(10, 10);
  const events: string[] = [];
  await using first = await read(fixture, topic, {
    batch: async () => {
      events.push("batch begins");
      await sleep(300);
      events.push("batch ends");
      return "done";
    },
    beforeRejoin: async () => {
      await first.source.commit(new Map([[0, 10]]));
      events.push("flushed");
    },
  });
  await until(() => events.length === 1);
  await first.stop();
  expect(events).toEqual(["batch begins", "batch ends", "flushed"]);
  expect(await committed(topic, topic)).toBe("10");
  await using second = await read(fixture, topic);
  // Far less than the session of 8 s, which a member that did not leave would hold.
  await until(() => second.assignments.length > 0, 3_000);
});

test("a committed offset never lies behind the end of the log that comes with it, however slow its answer is", async () => {
  const topic = await topicWith(10);
  await using reading = await read(fixture, topic);
  await until(() => reading.batches.length === 1);
  const offsetFetch = 9;
  const slow = fixture.broker.faults.add({ apiKey: offsetFetch, action: { delayMs: 500 } });
  const description = reading.source.describe(0);
  await until(() => slow.hits === 1);
  await append(topic, 5);
  await reading.source.commit(new Map([[0, 15]]));
  expect(await description).toMatchObject({ committed: 15, high: 15 });
});

test("a topic that does not exist is named, with the command that creates it", async () => {
  const opening = openBatchSource({
    ...fixture,
    topic: "missing",
    groupId: "g",
    sessionTimeoutMs: 8_000,
  });
  await expect(opening).rejects.toMatchObject({
    code: "TOPIC_MISSING",
    exitCode: 78,
    message: 'topic missing does not exist: create it with "pnpm topics create"',
  });
});

test("brokers that cannot be reached are one log line per attempt, until they are there", async () => {
  const port = await freePort();
  const log = memoryLog();
  const kafka = connect(`127.0.0.1:${port}`, log);
  const opening = openBatchSource({
    kafka,
    log,
    topic: "t",
    groupId: "g",
    sessionTimeoutMs: 8_000,
  });
  await until(() => log.lines.length > 0);
  expect(log.lines).toEqual([
    expect.stringMatching(
      /^warn kafka was not reachable, retrying .*KAFKA_BROKERS.*127\.0\.0\.1:\d+.*ECONNREFUSED/,
    ),
  ]);
  await using broker = await startKafka({ port });
  await createTopics(connect(broker.brokers, memoryLog()), [{ topic: "t", partitions: 1 }]);
  await using source = await opening;
  expect((await source.describe(0)).high).toBe(0);
  expect(log.lines.length).toBeLessThan(3);
});

test("waiting for brokers ends with the signal", async () => {
  const log = memoryLog();
  const kafka = connect(`127.0.0.1:${await freePort()}`, log);
  const stop = new AbortController();
  const { signal } = stop;
  const opening = openBatchSource({
    kafka,
    log,
    signal,
    topic: "t",
    groupId: "g",
    sessionTimeoutMs: 8_000,
  });
  await until(() => log.lines.length > 0);
  stop.abort();
  await expect(opening).rejects.toBe(stop.signal.reason);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}
