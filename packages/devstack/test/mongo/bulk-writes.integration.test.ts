import { Long, MongoClient, MongoServerError, type Collection } from "mongodb";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { startMongo, type MongoServer } from "../../src/mongo/server.ts";

type Counter = { _id: string; rev: Long; count: number };

let server: MongoServer;
let client: MongoClient;
let counters: Collection<Counter>;

beforeAll(async () => {
  server = await startMongo();
  client = await MongoClient.connect(server.url, {
    promoteLongs: false,
    writeConcern: { w: "majority" },
  });
});

beforeEach(() => {
  counters = client.db("bulk").collection<Counter>(`counters_${crypto.randomUUID()}`);
});

afterAll(async () => {
  await client.close();
  await server.close();
});

test("an unordered bulk says exactly what matched, changed and was upserted", async () => {
  await counters.insertMany([
    { _id: "current", rev: Long.fromNumber(4), count: 1 },
    { _id: "moved on", rev: Long.fromNumber(9), count: 1 },
    { _id: "exists", rev: Long.fromNumber(1), count: 1 },
    { _id: "same", rev: Long.fromNumber(2), count: 7 },
  ]);
  const result = await counters.bulkWrite(
    [
      {
        updateOne: {
          filter: { _id: "current", rev: Long.fromNumber(4) },
          update: { $set: { rev: Long.fromNumber(5), count: 2 } },
        },
      },
      {
        updateOne: {
          filter: { _id: "moved on", rev: Long.fromNumber(8) },
          update: { $set: { rev: Long.fromNumber(9), count: 2 } },
        },
      },
      {
        updateOne: {
          filter: { _id: "exists" },
          update: { $setOnInsert: { rev: Long.fromNumber(1), count: 2 } },
          upsert: true,
        },
      },
      {
        updateOne: {
          filter: { _id: "new" },
          update: { $setOnInsert: { rev: Long.fromNumber(1), count: 3 } },
          upsert: true,
        },
      },
      { updateOne: { filter: { _id: "same" }, update: { $set: { count: 7 } } } },
    ],
    { ordered: false },
  );
  expect({
    matched: result.matchedCount,
    modified: result.modifiedCount,
    upserted: result.upsertedCount,
    ids: result.upsertedIds,
  }).toEqual({ matched: 3, modified: 1, upserted: 1, ids: { 3: "new" } });
  expect(await counters.find().toArray()).toEqual([
    { _id: "current", rev: Long.fromNumber(5), count: 2 },
    { _id: "moved on", rev: Long.fromNumber(9), count: 1 },
    { _id: "exists", rev: Long.fromNumber(1), count: 1 },
    { _id: "same", rev: Long.fromNumber(2), count: 7 },
    { _id: "new", rev: Long.fromNumber(1), count: 3 },
  ]);
});

test.for([
  { ordered: true, inserted: 1, failed: [1] },
  { ordered: false, inserted: 2, failed: [1, 2] },
])(
  "with ordered: $ordered, $inserted of 4 inserts survive the duplicates",
  async ({ ordered, inserted, failed }) => {
    const ids = ["a", "a", "a", "b"];
    const operations = ids.map((_id) => ({
      insertOne: { document: { _id, rev: Long.ONE, count: 0 } },
    }));
    const error: unknown = await counters
      .bulkWrite(operations, { ordered })
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 11000, insertedCount: inserted });
    expect(error).toHaveProperty(
      "writeErrors",
      failed.map((index) => expect.objectContaining({ index, code: 11000 })),
    );
    expect(await counters.find().toArray()).toHaveLength(inserted);
  },
);

test("a duplicate insert names collection, index and key", async () => {
  await counters.insertOne({ _id: "x", rev: Long.ONE, count: 0 });
  const error: unknown = await counters
    .insertOne({ _id: "x", rev: Long.ONE, count: 1 })
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(MongoServerError);
  expect(error).toMatchObject({
    code: 11000,
    message: `E11000 duplicate key error collection: ${counters.namespace} index: _id_ dup key: { _id: "x" }`,
    keyPattern: { _id: 1 },
    keyValue: { _id: "x" },
  });
});

test("twenty writers racing on one document by find and compare-and-set lose no increment", async () => {
  await counters.insertOne({ _id: "raced", rev: Long.ZERO, count: 0 });
  const rounds = 10;
  const increment = async (): Promise<void> => {
    for (;;) {
      const seen = await counters.findOne({ _id: "raced" });
      if (seen === null) throw new Error("the raced document is gone");
      const result = await counters.updateOne(
        { _id: "raced", rev: seen.rev },
        { $set: { rev: seen.rev.add(1), count: seen.count + 1 } },
      );
      if (result.matchedCount === 1) return;
    }
  };
  const writer = async (): Promise<void> => {
    for (let round = 0; round < rounds; round++) await increment();
  };
  await Promise.all(Array.from({ length: 20 }, writer));
  expect(await counters.findOne({ _id: "raced" })).toEqual({
    _id: "raced",
    rev: Long.fromNumber(20 * rounds),
    count: 20 * rounds,
  });
});
