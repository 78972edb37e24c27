import { Double, Int32, Long, MongoClient, type Collection, type Document } from "mongodb";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { startMongo, type MongoServer } from "../../src/mongo/server.ts";

let server: MongoServer;
let client: MongoClient;
let things: Collection<{ _id: string }>;

beforeAll(async () => {
  server = await startMongo();
  client = await MongoClient.connect(server.url);
});

beforeEach(() => {
  things = client.db("upserts").collection(`things_${crypto.randomUUID()}`);
});

afterAll(async () => {
  await client.close();
  await server.close();
});

/** What is stored, numbers with their types. */
const stored = (): Promise<Document[]> =>
  things.find({}, { promoteValues: false, promoteLongs: false }).toArray();

const int = (value: number): Int32 => new Int32(value);
const long = (value: number): Long => Long.fromNumber(value);
const double = (value: number): Double => new Double(value);

test.for<[string, Document, Document, Document]>([
  [
    "equalities of the filter",
    { _id: "n", a: int(1), "b.c": { $eq: long(2) }, d: { $gt: 1 } },
    { $set: { z: int(1) } },
    { _id: "n", a: int(1), b: { c: long(2) }, z: int(1) },
  ],
  [
    "$setOnInsert",
    { _id: "n" },
    { $setOnInsert: { rev: long(0) }, $inc: { hits: int(1) } },
    { _id: "n", hits: int(1), rev: long(0) },
  ],
  [
    "$and",
    { $and: [{ _id: "n" }, { a: int(1) }] },
    { $set: { b: int(2) } },
    { _id: "n", a: int(1), b: int(2) },
  ],
])("an upsert takes over %s", async ([, filter, update, inserted]) => {
  const result = await things.updateOne(filter, update, { upsert: true });
  expect({
    matched: result.matchedCount,
    modified: result.modifiedCount,
    id: result.upsertedId,
  }).toEqual({
    matched: 0,
    modified: 0,
    id: "n",
  });
  expect(await stored()).toStrictEqual([inserted]);
});

test("an upsert without _id gets an ObjectId, first in the document", async () => {
  const { upsertedId } = await things.updateOne(
    { name: "x" },
    { $set: { a: int(1) } },
    { upsert: true },
  );
  const [found] = await stored();
  expect(found).toStrictEqual({ _id: upsertedId, name: "x", a: int(1) });
  expect(Object.keys(found ?? {})[0]).toBe("_id");
});

test("an upsert whose guard fails on an existing _id is a duplicate", async () => {
  await things.insertOne({ _id: "it" });
  await expect(
    things.updateOne({ _id: "it", rev: long(1) }, { $set: { a: 1 } }, { upsert: true }),
  ).rejects.toMatchObject({ code: 11000 });
});

test("a replacement keeps _id and drops the rest", async () => {
  await things.insertOne({ _id: "it", a: 1, b: 2 } as { _id: string });
  await things.replaceOne({ _id: "it" }, { c: long(3) });
  expect(await stored()).toStrictEqual([{ _id: "it", c: long(3) }]);
});

test("a pipeline computes from the document and keeps the types of what it leaves", async () => {
  await things.insertOne({ _id: "it", a: long(1), b: double(2) } as { _id: string });
  await things.updateOne({ _id: "it" }, [{ $set: { c: { $add: ["$a", "$b"] } } }, { $unset: "x" }]);
  expect(await stored()).toStrictEqual([{ _id: "it", a: long(1), b: double(2), c: int(3) }]);
  await expect(things.updateOne({ _id: "it" }, [{ $match: {} }])).rejects.toMatchObject({
    code: 72,
  });
});

test("odd ids are ids: each finds only itself", async () => {
  const ids = ["__proto__", "constructor", "$where", "a.b", "\u0000", "x".repeat(256), "😀", ""];
  await things.bulkWrite(
    ids.map((_id) => ({
      updateOne: { filter: { _id }, update: { $setOnInsert: { own: _id } }, upsert: true },
    })),
    { ordered: false },
  );
  for (const _id of ids) expect(await things.find({ _id }).toArray()).toEqual([{ _id, own: _id }]);
  expect(await things.find({ _id: { $in: ids } }).toArray()).toHaveLength(ids.length);
});
