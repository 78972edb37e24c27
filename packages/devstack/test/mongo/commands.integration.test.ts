import { Double, Long, MongoClient, type Collection, type Db, type Document } from "mongodb";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { startMongo, type MongoServer } from "../../src/mongo/server.ts";

type Row = Document & { _id: number };

let server: MongoServer;
let client: MongoClient;
let db: Db;
let rows: Collection<Row>;

beforeAll(async () => {
  server = await startMongo();
  client = await MongoClient.connect(server.url);
});

beforeEach(() => {
  db = client.db(`commands_${crypto.randomUUID()}`);
  rows = db.collection<Row>("rows");
});

afterAll(async () => {
  await client.close();
  await server.close();
});

const numbered = (count: number): Row[] => Array.from({ length: count }, (_, n) => ({ _id: n, n }));

test("a cursor hands out everything in batches, as it was when it was opened", async () => {
  await rows.insertMany(numbered(250));
  const cursor = rows.find({}, { batchSize: 100 });
  await cursor.next();
  await rows.deleteMany({});
  expect(1 + (await cursor.toArray()).length).toBe(250);
});

test("batches stay below the size of a message", async () => {
  const text = "x".repeat(1024 * 1024);
  await rows.insertMany(Array.from({ length: 40 }, (_, n) => ({ _id: n, text })));
  expect(await rows.find().toArray()).toHaveLength(40);
});

test("a closed cursor is gone", async () => {
  await rows.insertMany(numbered(10));
  const { cursor } = await db.command({ find: "rows", batchSize: 2 });
  const id = Long.fromValue(cursor.id);
  expect(await db.command({ killCursors: "rows", cursors: [id] })).toMatchObject({
    cursorsKilled: [id.toNumber()],
  });
  await expect(db.command({ getMore: id, collection: "rows" })).rejects.toMatchObject({ code: 43 });
});

test("an unknown command answers code 59 and the connection goes on", async () => {
  await expect(db.command({ frobnicate: 1 })).rejects.toMatchObject({
    code: 59,
    codeName: "CommandNotFound",
  });
  expect(await db.command({ ping: 1 })).toEqual({ ok: 1 });
});

test("a unique index refuses duplicates on insert, update and creation", async () => {
  await rows.createIndex({ a: 1, b: 1 }, { unique: true });
  await rows.insertMany([
    { _id: 1, a: 1, b: 1 },
    { _id: 2, a: 1, b: 2 },
  ]);
  const duplicate = {
    code: 11000,
    message: `E11000 duplicate key error collection: ${rows.namespace} index: a_1_b_1 dup key: { a: 1, b: 1 }`,
  };
  await expect(rows.insertOne({ _id: 3, a: new Double(1), b: 1 })).rejects.toMatchObject({
    code: 11000,
  });
  await expect(rows.insertOne({ _id: 3, a: 1, b: 1 })).rejects.toMatchObject(duplicate);
  await expect(rows.updateOne({ _id: 2 }, { $set: { b: 1 } })).rejects.toMatchObject(duplicate);
  await rows.deleteOne({ _id: 1 });
  await rows.updateOne({ _id: 2 }, { $set: { b: 1 } });
  await rows.insertOne({ _id: 4, a: 1, b: 2 });
  await expect(rows.createIndex({ a: 1 }, { unique: true })).rejects.toMatchObject({ code: 11000 });
});

test("sparse and partial unique indexes hold only what they cover", async () => {
  await rows.createIndex({ s: 1 }, { unique: true, sparse: true });
  await rows.createIndex({ p: 1 }, { unique: true, partialFilterExpression: { on: true } });
  await rows.insertMany([
    { _id: 1, p: 1 },
    { _id: 2, p: 1 },
    { _id: 3, p: 1, on: true },
  ]);
  await expect(rows.updateOne({ _id: 1 }, { $set: { on: true } })).rejects.toMatchObject({
    code: 11000,
  });
});

test("a unique index over an array holds each element", async () => {
  await rows.createIndex({ tags: 1 }, { unique: true });
  await rows.insertOne({ _id: 1, tags: ["a", "b"] });
  await expect(rows.insertOne({ _id: 2, tags: ["c", "b"] })).rejects.toMatchObject({ code: 11000 });
});

test("indexes are listed, created once and dropped", async () => {
  expect(
    await rows.createIndexes([
      { key: { ad_id: 1, "window.start": -1 } },
      { key: { n: 1 }, name: "by_n" },
    ]),
  ).toEqual(["ad_id_1_window.start_-1", "by_n"]);
  await rows.createIndex({ ad_id: 1, "window.start": -1 });
  await expect(rows.createIndex({ n: 1 })).rejects.toMatchObject({ code: 85 });
  await expect(rows.createIndex({ m: 1 }, { name: "by_n" })).rejects.toMatchObject({ code: 86 });
  expect((await rows.indexes()).map(({ name }) => name)).toEqual([
    "_id_",
    "ad_id_1_window.start_-1",
    "by_n",
  ]);
  await rows.dropIndex("by_n");
  await expect(rows.dropIndex("by_n")).rejects.toMatchObject({ code: 27 });
  await rows.dropIndexes();
  expect(await rows.indexes()).toHaveLength(1);
});

test("findOneAndUpdate gives the document before or after, in sort order", async () => {
  await rows.insertMany(numbered(3));
  expect(await rows.findOneAndUpdate({}, { $inc: { n: 10 } }, { sort: { n: -1 } })).toEqual({
    _id: 2,
    n: 2,
  });
  expect(
    await rows.findOneAndUpdate({ _id: 1 }, { $inc: { n: 10 } }, { returnDocument: "after" }),
  ).toEqual({ _id: 1, n: 11 });
  expect(
    await rows.findOneAndUpdate(
      { _id: 9 },
      { $set: { n: 9 } },
      { upsert: true, returnDocument: "after" },
    ),
  ).toEqual({ _id: 9, n: 9 });
  expect(await rows.findOneAndDelete({ _id: 9 }, { projection: { _id: 0 } })).toEqual({ n: 9 });
  expect(await rows.findOneAndReplace({ _id: 0 }, { m: 1 }, { returnDocument: "after" })).toEqual({
    _id: 0,
    m: 1,
  });
  expect(await rows.findOneAndUpdate({ _id: 77 }, { $set: { n: 1 } })).toBeNull();
});

test("counts, distinct values and deletes", async () => {
  await rows.insertMany([...numbered(5), { _id: 5, n: [3, 8] }]);
  expect(await rows.countDocuments({ n: { $gte: 3 } })).toBe(3);
  expect(await rows.estimatedDocumentCount()).toBe(6);
  expect(await rows.distinct("n")).toEqual([0, 1, 2, 3, 4, 8]);
  expect(await rows.deleteOne({ n: { $gte: 3 } })).toMatchObject({ deletedCount: 1 });
  expect(await rows.deleteMany({ n: { $gte: 3 } })).toMatchObject({ deletedCount: 2 });
});

test("collections and databases are listed, made and dropped", async () => {
  await db.createCollection("made");
  await expect(db.createCollection("made")).rejects.toMatchObject({ code: 48 });
  await rows.insertOne({ _id: 1 });
  const names = (await db.listCollections().toArray()).map(({ name }) => name);
  expect(names).toEqual(["made", "rows"]);
  expect(await rows.drop()).toBe(true);
  expect((await client.db().admin().listDatabases()).databases.map(({ name }) => name)).toContain(
    db.databaseName,
  );
  await db.dropDatabase();
  expect(await db.listCollections().toArray()).toEqual([]);
});

test("a document of more than 16 MiB is refused, however it came to be", async () => {
  const text = "x".repeat(9 * 1024 * 1024);
  await rows.insertOne({ _id: 1, text });
  await expect(rows.updateOne({ _id: 1 }, { $set: { more: text } })).rejects.toMatchObject({
    code: 10334,
  });
  expect(await rows.countDocuments({ more: { $exists: true } })).toBe(0);
});

const sales: Row[] = [
  { _id: 1, ad: "a", n: 1, cost: 0.5, tags: ["x", "y"] },
  { _id: 2, ad: "b", n: 2, cost: 1.5, tags: [] },
  { _id: 3, ad: "a", n: 3, cost: 2, tags: ["x"] },
];

test.for<[string, Document[], Document[]]>([
  [
    "$match, $sort, $limit",
    [{ $match: { ad: "a" } }, { $sort: { n: -1 } }, { $limit: 1 }, { $project: { n: 1, _id: 0 } }],
    [{ n: 3 }],
  ],
  [
    "$group",
    [
      { $group: { _id: "$ad", n: { $sum: "$n" }, avg: { $avg: "$cost" }, ids: { $push: "$_id" } } },
      { $sort: { _id: 1 } },
    ],
    [
      { _id: "a", n: 4, avg: 1.25, ids: [1, 3] },
      { _id: "b", n: 2, avg: 1.5, ids: [2] },
    ],
  ],
  [
    "$group over all",
    [{ $group: { _id: null, most: { $max: "$n" }, count: { $sum: 1 } } }],
    [{ _id: null, most: 3, count: 3 }],
  ],
  [
    "$unwind",
    [{ $unwind: "$tags" }, { $sortByCount: "$tags" }],
    [
      { _id: "x", count: 2 },
      { _id: "y", count: 1 },
    ],
  ],
  [
    "$addFields",
    [
      { $match: { _id: 1 } },
      { $addFields: { per: { $divide: ["$cost", "$n"] } } },
      { $project: { per: 1 } },
    ],
    [{ _id: 1, per: 0.5 }],
  ],
  [
    "$lookup",
    [
      { $match: { _id: 2 } },
      { $lookup: { from: "rows", localField: "ad", foreignField: "ad", as: "same" } },
      { $project: { same: { $size: "$same" } } },
    ],
    [{ _id: 2, same: 1 }],
  ],
  ["$count", [{ $match: { n: { $gt: 1 } } }, { $count: "left" }], [{ left: 2 }]],
  [
    "$replaceRoot",
    [{ $match: { _id: 1 } }, { $replaceRoot: { newRoot: { was: "$ad" } } }],
    [{ was: "a" }],
  ],
  ["$unset", [{ $match: { _id: 2 } }, { $unset: ["tags", "cost"] }], [{ _id: 2, ad: "b", n: 2 }]],
])("aggregate: %s", async ([, pipeline, expected]) => {
  await rows.insertMany(sales);
  expect(await rows.aggregate(pipeline).toArray()).toEqual(expected);
});

test("aggregation keeps number types of what it passes on and sums", async () => {
  await rows.insertMany([
    { _id: 1, l: Long.fromNumber(1), d: new Double(2) },
    { _id: 2, l: Long.fromNumber(2), d: new Double(3) },
  ]);
  const raw = { promoteValues: false, promoteLongs: false };
  expect(
    await rows
      .aggregate(
        [{ $set: { x: 1 } }, { $match: { l: 1 } }, { $project: { _id: 0, l: 1, d: 1 } }],
        raw,
      )
      .toArray(),
  ).toStrictEqual([{ l: Long.fromNumber(1), d: new Double(2) }]);
  expect(
    await rows
      .aggregate([{ $group: { _id: null, l: { $sum: "$l" }, d: { $sum: "$d" } } }], raw)
      .toArray(),
  ).toStrictEqual([{ _id: null, l: Long.fromNumber(3), d: new Double(5) }]);
});

test.for<[string, Document[], number]>([
  ["an unknown stage", [{ $frobnicate: {} }], 40324],
  ["a change stream", [{ $changeStream: {} }], 40573],
  ["$out", [{ $out: "x" }], 238],
  ["an unknown accumulator", [{ $group: { _id: null, x: { $frobnicate: 1 } } }], 15952],
  ["an unknown expression", [{ $set: { x: { $frobnicate: 1 } } }], 2],
  ["a script", [{ $set: { x: { $function: { body: "1", args: [], lang: "js" } } } }], 2],
])("aggregate: %s is an error", async ([, pipeline, code]) => {
  await rows.insertMany(sales);
  await expect(rows.aggregate(pipeline).toArray()).rejects.toMatchObject({ code });
});

test("failCommand fails, delays or cuts the commands it names, as often as it says", async () => {
  const fail = (data: Document): Promise<Document> =>
    client.db("admin").command({
      configureFailPoint: "failCommand",
      mode: { times: 1 },
      data: { failCommands: ["insert"], ...data },
    });
  await fail({ errorCode: 91 });
  await expect(rows.insertOne({ _id: 1 })).rejects.toMatchObject({ code: 91 });
  await fail({ closeConnection: true });
  await expect(rows.insertOne({ _id: 1 })).rejects.toMatchObject({ name: "MongoNetworkError" });
  await fail({ writeConcernError: { code: 64, errmsg: "waited too long" } });
  await expect(rows.insertOne({ _id: 1 })).rejects.toMatchObject({
    name: "MongoWriteConcernError",
  });
  await rows.insertOne({ _id: 2 });
  expect(await rows.countDocuments()).toBe(2);
});
