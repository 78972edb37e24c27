import {
  Decimal128,
  Double,
  Int32,
  Long,
  MongoClient,
  type Collection,
  type Document,
} from "mongodb";
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
  things = client.db("updates").collection(`things_${crypto.randomUUID()}`);
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

test("every number comes back with the type it was stored with", async () => {
  const document = {
    _id: "types",
    int: int(1),
    long: long(1),
    hugeLong: Long.fromBigInt(2n ** 62n + 1n),
    double: double(1),
    fraction: double(0.1),
    minusZero: double(-0),
    decimal: Decimal128.fromString("1.10"),
    within: [{ a: long(2) }, double(2)],
  };
  await things.insertOne({ ...document });
  await things.updateOne({ _id: "types" }, { $set: { touched: true } });
  expect(await stored()).toStrictEqual([{ ...document, touched: true }]);
});

test.for<[string, Document, Document, Document]>([
  [
    "$set an absent path",
    { a: int(1) },
    { $set: { "b.c": int(2) } },
    { a: int(1), b: { c: int(2) } },
  ],
  [
    "$set in place keeps the order",
    { a: int(1), b: int(2) },
    { $set: { a: int(3) } },
    { a: int(3), b: int(2) },
  ],
  ["$set another type of the same value", { a: int(1) }, { $set: { a: long(1) } }, { a: long(1) }],
  [
    "$set an array element",
    { a: [int(1), int(2)] },
    { $set: { "a.1": int(9) } },
    { a: [int(1), int(9)] },
  ],
  [
    "$set past the end fills with null",
    { a: [int(1)] },
    { $set: { "a.2": int(3) } },
    { a: [int(1), null, int(3)] },
  ],
  [
    "$set all elements",
    { a: [{ b: int(1) }, { b: int(2) }] },
    { $set: { "a.$[].b": int(0) } },
    { a: [{ b: int(0) }, { b: int(0) }] },
  ],
  [
    "$unset",
    { a: int(1), b: { c: int(1), d: int(2) } },
    { $unset: { a: "", "b.c": "", x: "" } },
    { b: { d: int(2) } },
  ],
  ["$inc int by int", { a: int(1) }, { $inc: { a: int(2) } }, { a: int(3) }],
  ["$inc long by int stays long", { a: long(1) }, { $inc: { a: int(2) } }, { a: long(3) }],
  ["$inc int by long becomes long", { a: int(1) }, { $inc: { a: long(2) } }, { a: long(3) }],
  [
    "$inc int by double becomes double",
    { a: int(1) },
    { $inc: { a: double(2) } },
    { a: double(3) },
  ],
  [
    "$inc overflow becomes long",
    { a: int(2 ** 31 - 1) },
    { $inc: { a: int(1) } },
    { a: long(2 ** 31) },
  ],
  [
    "$inc long past 2^53",
    { a: Long.fromBigInt(2n ** 60n) },
    { $inc: { a: long(1) } },
    { a: Long.fromBigInt(2n ** 60n + 1n) },
  ],
  [
    "$inc decimal",
    { a: Decimal128.fromString("0.10") },
    { $inc: { a: int(1) } },
    { a: Decimal128.fromString("1.10") },
  ],
  ["$inc absent", {}, { $inc: { a: long(2) } }, { a: long(2) }],
  ["$mul", { a: int(3) }, { $mul: { a: double(0.5) } }, { a: double(1.5) }],
  ["$mul absent", {}, { $mul: { a: long(5) } }, { a: long(0) }],
  ["$max across types", { a: int(5) }, { $max: { a: long(6) } }, { a: long(6) }],
  ["$max keeps the greater", { a: double(6.5) }, { $max: { a: long(6) } }, { a: double(6.5) }],
  ["$min", { a: int(5) }, { $min: { a: double(4.5) } }, { a: double(4.5) }],
  ["$push", { a: [int(1)] }, { $push: { a: int(2) } }, { a: [int(1), int(2)] }],
  ["$push makes the array", {}, { $push: { a: int(2) } }, { a: [int(2)] }],
  [
    "$push with modifiers",
    { a: [int(1), int(5)] },
    { $push: { a: { $each: [int(4), int(2)], $sort: int(-1), $slice: int(3) } } },
    { a: [int(5), int(4), int(2)] },
  ],
  [
    "$addToSet by value",
    { a: [int(1)] },
    { $addToSet: { a: { $each: [long(1), int(2)] } } },
    { a: [int(1), int(2)] },
  ],
  [
    "$pull by condition",
    { a: [int(1), int(5), int(9)] },
    { $pull: { a: { $gt: int(4) } } },
    { a: [int(1)] },
  ],
  [
    "$pull documents",
    { a: [{ b: int(1), c: "x" }, { b: int(2) }] },
    { $pull: { a: { b: int(1) } } },
    { a: [{ b: int(2) }] },
  ],
  ["$pullAll", { a: [int(1), int(2), int(1)] }, { $pullAll: { a: [long(1)] } }, { a: [int(2)] }],
  ["$pop", { a: [int(1), int(2)] }, { $pop: { a: int(-1) } }, { a: [int(2)] }],
  ["$rename", { a: long(1), b: int(2) }, { $rename: { a: "c" } }, { b: int(2), c: long(1) }],
  [
    "$setOnInsert does nothing to a document",
    { a: int(1) },
    { $set: { a: int(2) }, $setOnInsert: { b: int(9) } },
    { a: int(2) },
  ],
  ["new fields come by name", {}, { $set: { b: int(1), a: int(1) } }, { a: int(1), b: int(1) }],
])("%s", async ([, before, update, after]) => {
  await things.insertOne({ _id: "it", ...before });
  const result = await things.updateOne({ _id: "it" }, update);
  expect({ matched: result.matchedCount, upserted: result.upsertedCount }).toEqual({
    matched: 1,
    upserted: 0,
  });
  const [found] = await stored();
  expect(found).toStrictEqual({ _id: "it", ...after });
  expect(Object.keys(found ?? {})).toEqual(["_id", ...Object.keys(after)]);
});

test.for<[string, Document, Document]>([
  [
    "$set to the same",
    { a: long(1), b: [{ c: double(1) }] },
    { $set: { a: long(1), b: [{ c: double(1) }] } },
  ],
  ["$max by less", { a: int(5) }, { $max: { a: int(4) } }],
  ["$unset of nothing", { a: int(5) }, { $unset: { "x.y": "" } }],
  ["$inc by 0", { a: int(5) }, { $inc: { a: int(0) } }],
])("%s matches and modifies nothing", async ([, before, update]) => {
  await things.insertOne({ _id: "it", ...before });
  const result = await things.updateOne({ _id: "it" }, update);
  expect({ matched: result.matchedCount, modified: result.modifiedCount }).toEqual({
    matched: 1,
    modified: 0,
  });
});

test.for<[string, Document, Document, number]>([
  ["$inc on a string", { a: "x" }, { $inc: { a: 1 } }, 14],
  ["$inc by a string", { a: 1 }, { $inc: { a: "1" } }, 14],
  ["$inc on null", { a: null }, { $inc: { a: 1 } }, 14],
  ["$mul on an array", { a: [1] }, { $mul: { a: 2 } }, 14],
  ["$set through a scalar", { a: 5 }, { $set: { "a.b": 1 } }, 28],
  ["$set through null", { a: null }, { $set: { "a.b": 1 } }, 28],
  ["$set a name in an array", { a: [1] }, { $set: { "a.b": 1 } }, 28],
  ["$push on a scalar", { a: 1 }, { $push: { a: 1 } }, 2],
  ["$pull on a scalar", { a: 1 }, { $pull: { a: 1 } }, 2],
  ["two changes of one path", { a: 1 }, { $set: { a: 1 }, $inc: { a: 1 } }, 40],
  ["a path and its parent", { a: {} }, { $set: { a: 1, "a.b": 1 } }, 40],
  ["another _id", { a: 1 }, { $set: { _id: "other" } }, 66],
  ["an unknown operator", { a: 1 }, { $frobnicate: { a: 1 } }, 9],
  ["$[name] without a filter", { a: [1] }, { $set: { "a.$[x]": 1 } }, 2],
  ["the positional operator", { a: [1] }, { $set: { "a.$": 1 } }, 2],
  ["an empty path segment", { a: 1 }, { $set: { "a.": 1 } }, 56],
])("%s is an error and leaves the document alone", async ([, before, update, code]) => {
  await things.insertOne({ _id: "it", ...before });
  await expect(things.updateOne({ _id: "it" }, update)).rejects.toMatchObject({ code });
  expect(await things.findOne()).toEqual({
    _id: "it",
    ...before,
  });
});

test("updateMany changes what matches and counts what it changed", async () => {
  await things.insertMany([{ _id: "a" }, { _id: "b" }, { _id: "c" }]);
  await things.updateOne({ _id: "b" }, { $set: { tag: "x" } });
  const result = await things.updateMany({ _id: { $in: ["a", "b"] } }, { $set: { tag: "x" } });
  expect({ matched: result.matchedCount, modified: result.modifiedCount }).toEqual({
    matched: 2,
    modified: 1,
  });
});

test("field names that are JavaScript's own are names like any other", async () => {
  const names = ["constructor", "toString", "__proto__", "hasOwnProperty"];
  await things.insertOne({ _id: "it" });
  for (const name of names) {
    const assignment: Document = Object.fromEntries([[name, int(1)]]);
    await things.updateOne({ _id: "it" }, { $set: assignment });
    await things.updateOne({ _id: "it" }, { $inc: assignment });
    expect(await things.countDocuments(Object.fromEntries([[name, 2]]))).toBe(1);
  }
  const [found = {}] = await stored();
  expect(Object.entries(found)).toEqual([["_id", "it"], ...names.map((name) => [name, int(2)])]);
});

test("updateOne changes the first match only", async () => {
  await things.insertMany([{ _id: "a" }, { _id: "b" }]);
  const result = await things.updateOne({}, { $set: { tag: "x" } });
  expect({ matched: result.matchedCount, modified: result.modifiedCount }).toEqual({
    matched: 1,
    modified: 1,
  });
  expect(await stored()).toStrictEqual([{ _id: "a", tag: "x" }, { _id: "b" }]);
});

test("elements filled in past the end are null in filters too", async () => {
  await things.insertOne({ _id: "it", a: [] } as { _id: string });
  await things.updateOne({ _id: "it" }, { $set: { "a.1": 1 } });
  expect(await things.countDocuments({ a: null })).toBe(1);
});

test("documents changed by one update share nothing", async () => {
  await things.insertMany([{ _id: "a" }, { _id: "b" }]);
  await things.updateMany({}, { $set: { list: [{ n: int(1) }] } });
  await things.updateOne({ _id: "a" }, { $set: { "list.0.n": int(2) } });
  expect(await stored()).toStrictEqual([
    { _id: "a", list: [{ n: int(2) }] },
    { _id: "b", list: [{ n: int(1) }] },
  ]);
});

test("array filters choose the elements to change", async () => {
  await things.insertOne({ _id: "it", rows: [{ n: int(1) }, { n: int(5) }] } as { _id: string });
  await things.updateOne(
    { _id: "it" },
    { $set: { "rows.$[big].seen": true } },
    { arrayFilters: [{ "big.n": { $gt: 2 } }] },
  );
  expect(await stored()).toStrictEqual([
    { _id: "it", rows: [{ n: int(1) }, { n: int(5), seen: true }] },
  ]);
});
