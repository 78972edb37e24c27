import {
  Decimal128,
  Double,
  Int32,
  Long,
  MongoClient,
  ObjectId,
  type Collection,
  type Document,
} from "mongodb";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startMongo, type MongoServer } from "../../src/mongo/server.ts";

const objectId = new ObjectId("65a000000000000000000001");

const documents: readonly (Document & { _id: string })[] = [
  { _id: "int", v: new Int32(5) },
  { _id: "long", v: Long.fromNumber(5) },
  { _id: "double", v: new Double(5) },
  { _id: "decimal", v: Decimal128.fromString("5.0") },
  { _id: "half", v: new Double(5.5) },
  { _id: "huge", v: Long.fromBigInt(2n ** 53n + 1n) },
  { _id: "nan", v: new Double(Number.NaN) },
  { _id: "string", v: "5" },
  { _id: "date", v: new Date(5) },
  { _id: "id", v: objectId },
  { _id: "true", v: true },
  { _id: "null", v: null },
  { _id: "none" },
  { _id: "list", v: [new Int32(5), new Int32(9)] },
  { _id: "empty", v: [] },
  { _id: "nested", v: { a: new Int32(5), b: "x" } },
  {
    _id: "rows",
    v: [
      { a: new Int32(1), b: new Int32(1) },
      { a: new Int32(5), b: new Int32(2) },
    ],
  },
];

let server: MongoServer;
let client: MongoClient;
let values: Collection<{ _id: string }>;

beforeAll(async () => {
  server = await startMongo();
  client = await MongoClient.connect(server.url);
  values = client.db("filters").collection("values");
  await values.insertMany(documents.map((document) => ({ ...document })));
});

afterAll(async () => {
  await client.close();
  await server.close();
});

const fives = ["int", "long", "double", "decimal", "list"];

test.for<[string, Document, readonly string[]]>([
  ["an int finds all numbers of its value", { v: new Int32(5) }, fives],
  ["so does a long", { v: Long.fromNumber(5) }, fives],
  ["so does a double", { v: new Double(5) }, fives],
  ["so does a decimal", { v: Decimal128.fromString("5") }, fives],
  ["a double next to a long does not find it", { v: new Double(2 ** 53) }, []],
  ["a long past 2^53 is found exactly", { v: Long.fromBigInt(2n ** 53n + 1n) }, ["huge"]],
  ["NaN finds NaN", { v: Number.NaN }, ["nan"]],
  ["comparisons stay within numbers", { v: { $gt: 5 } }, ["half", "huge", "list"]],
  ["$gte takes the bound in", { v: { $gte: 5.5 } }, ["half", "huge", "list"]],
  ["$lt leaves NaN out", { v: { $lt: 5.5 } }, fives],
  ["$lte on strings", { v: { $lte: "5" } }, ["string"]],
  ["dates compare with dates", { v: { $gt: new Date(4) } }, ["date"]],
  ["object ids are values", { v: objectId }, ["id"]],
  ["booleans are no numbers", { v: true }, ["true"]],
  ["null finds absent fields too", { v: null }, ["null", "none"]],
  ["names of JavaScript's own are absent fields", { constructor: { $exists: true } }, []],
  ["$exists tells absent from null", { v: { $exists: false } }, ["none"]],
  ["$in crosses number types", { v: { $in: [Long.fromNumber(5), "5"] } }, [...fives, "string"]],
  ["$in with null", { v: { $in: [null] } }, ["null", "none"]],
  ["$in with a pattern", { v: { $in: [/^5$/] } }, ["string"]],
  ["$type by name", { v: { $type: "long" } }, ["long", "huge"]],
  ["$type by number", { v: { $type: 9 } }, ["date"]],
  [
    "$type number covers four types",
    { v: { $type: "number" }, _id: { $nin: ["list"] } },
    ["int", "long", "double", "decimal", "half", "huge", "nan"],
  ],
  ["a whole array", { v: [5, 9] }, ["list"]],
  ["an empty array", { v: [] }, ["empty"]],
  ["$size", { v: { $size: 2 } }, ["list", "rows"]],
  ["$all", { v: { $all: [9, 5] } }, ["list"]],
  ["$elemMatch on values", { v: { $elemMatch: { $gt: 5, $lt: 10 } } }, ["list"]],
  ["$elemMatch on one document", { v: { $elemMatch: { a: 5, b: 2 } } }, ["rows"]],
  ["$elemMatch does not mix documents", { v: { $elemMatch: { a: 5, b: 1 } } }, []],
  ["paths do mix documents of an array", { "v.a": 5, "v.b": 1 }, ["rows"]],
  ["a path into a document and into an array", { "v.a": 5 }, ["nested", "rows"]],
  ["a path by position", { "v.1.a": 5 }, ["rows"]],
  ["a whole document, in its order", { v: { a: 5, b: "x" } }, ["nested"]],
  ["a document in another order is another", { v: { b: "x", a: 5 } }, []],
  [
    "$mod",
    { v: { $mod: [4, 1] }, _id: { $ne: "huge" } },
    ["int", "long", "double", "decimal", "half", "list"],
  ],
  [
    "$not",
    { v: { $not: { $type: "number" } }, _id: { $in: ["int", "string", "none"] } },
    ["string", "none"],
  ],
  ["$or", { $or: [{ v: "5" }, { _id: "none" }] }, ["string", "none"]],
  ["$nor", { $nor: [{ v: { $exists: true } }] }, ["none"]],
  ["$and", { $and: [{ v: { $gt: 5 } }, { v: { $lt: 6 } }] }, ["half", "list"]],
  ["$regex with options", { _id: { $regex: "^LO", $options: "i" } }, ["long"]],
  ["$expr", { $expr: { $eq: ["$v", "5"] } }, ["string"]],
  ["$in on _id", { _id: { $in: ["none", "int", "absent"] } }, ["int", "none"]],
  ["_id and another condition", { _id: "int", v: 6 }, []],
  ["_id inside $and", { $and: [{ _id: "int" }, { v: 5 }] }, ["int"]],
])("%s", async ([, filter, expected]) => {
  const found = await values.find(filter).toArray();
  expect(found.map(({ _id }) => _id).toSorted()).toEqual([...expected].toSorted());
  expect(await values.countDocuments(filter)).toBe(expected.length);
});

test.for<[string, Document, number]>([
  ["an unknown operator", { v: { $near: 1 } }, 2],
  ["an unknown top level operator", { $where: "true" }, 2],
  ["$in without an array", { v: { $in: 5 } }, 2],
  ["an empty $or", { $or: [] }, 2],
  ["an empty path segment", { "v..a": 1 }, 56],
  ["a broken pattern", { v: { $regex: "(" } }, 51091],
  ["an unknown type", { v: { $type: "number8" } }, 2],
])("%s is an error, not an empty result", async ([, filter, code]) => {
  await expect(values.find(filter).toArray()).rejects.toMatchObject({ code });
});

test.for<[string, Document, Document]>([
  ["fields in", { v: 1 }, { _id: "nested", v: { a: 5, b: "x" } }],
  ["without _id", { v: 1, _id: 0 }, { v: { a: 5, b: "x" } }],
  ["a path in", { "v.b": 1 }, { _id: "nested", v: { b: "x" } }],
  ["a path out", { "v.b": 0 }, { _id: "nested", v: { a: 5 } }],
  ["only _id", { _id: 1 }, { _id: "nested" }],
  ["computed", { twice: { $multiply: ["$v.a", 2] } }, { _id: "nested", twice: 10 }],
])("a projection gives %s", async ([, projection, expected]) => {
  expect(await values.findOne({ _id: "nested" }, { projection })).toEqual(expected);
});

test("sort orders types before values, skip and limit cut after it", async () => {
  const found = await values
    .find({ _id: { $in: ["string", "half", "null", "none", "date", "int"] } })
    .sort({ v: -1, _id: 1 })
    .skip(1)
    .limit(4)
    .toArray();
  expect(found.map(({ _id }) => _id)).toEqual(["string", "half", "int", "none"]);
});
