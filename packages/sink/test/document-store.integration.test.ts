import { randomUUID } from "node:crypto";

import { StreamError } from "@adstream/engine/errors";
import { type Collection, type Document, MongoBulkWriteError } from "mongodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { resultDocumentId } from "../src/merge.ts";
import {
  mongoAddress,
  type OpenDocumentStore,
  openDocumentStore,
} from "../src/open-document-store.ts";
import { bulkWriteErrors, refusesDocument } from "../src/mongo-errors.ts";
import { describeDocumentStore } from "./conformance/describe-document-store.ts";
import { adResult } from "./fakes/ad-results.ts";
import { applierOf, never } from "./fakes/applier.ts";
import { openTestMongo, type TestMongo } from "./fakes/mongo-server.ts";

const resources = new AsyncDisposableStack();
const database = `sink_test_${randomUUID().slice(0, 8)}`;
let mongo: TestMongo;

beforeAll(async () => {
  mongo = resources.use(await openTestMongo());
});

afterAll(async () => {
  await mongo.client.db(database).dropDatabase();
  await resources.disposeAsync();
});

async function openStore(
  collection: string = randomUUID(),
  resultTtlMs: number | null = null,
): Promise<OpenDocumentStore> {
  const store = await openDocumentStore({ url: mongo.url, database, collection, resultTtlMs });
  return resources.use(store);
}

describeDocumentStore("MongoDB", () => openStore());

const fieldNames =
  "_id ad_id window count total_clicks total_views total_cost avg_clicks avg_views avg_cost " +
  "avg_cost_per_view status slots updated_at rev";

describe("documents in MongoDB", () => {
  test("are what design section 5 says, longs and dates included", async () => {
    const store = await openStore("shape");
    const result = adResult({ slot: 3, version: (1n << 48n) | 7n, count: 2, total_cost: 0.5 });
    await applierOf(store).apply([result], never);
    const raw = await rawDocument("shape", resultDocumentId(result));
    expect(new Set(Object.keys(raw ?? {}))).toEqual(new Set(fieldNames.split(" ")));
    expect(raw?.["window"]).toEqual({
      start: new Date(result.window_start),
      end: new Date(result.window_end),
    });
    expect(raw?.["updated_at"]).toEqual(new Date(0));
    expect(raw?.["rev"]).toMatchObject({ _bsontype: "Long" });
    expect(raw?.["slots"].p3.version.toBigInt()).toBe(result.version);
  });

  test.each<[string, Document]>([
    ["has no slots", { ad_id: "ad-1", rev: 1 }],
    ["has a revision that is text", { rev: "1" }],
    ["is empty", {}],
  ])("that somebody else put there are left alone: one that %s", async (title, fields) => {
    const store = await openStore(title);
    const id = resultDocumentId(adResult());
    await rawCollection(title).insertOne({ _id: id, ...fields });
    const good = adResult({ ad_id: "good" });
    const outcome = await applierOf(store).apply([adResult(), good], never);
    expect(outcome).toMatchObject({ inserted: 1, refused: [{ id }] });
    expect(await rawDocument(title, id)).toMatchObject({ _id: id, ...fields });
  });
});

describe("opening", () => {
  test("creates the two indexes and no expiry", async () => {
    await openStore("plain");
    await openStore("plain");
    expect(await indexes("plain")).toEqual([
      { key: { _id: 1 } },
      { key: { ad_id: 1, "window.start": -1 } },
      { key: { "window.start": -1 } },
    ]);
  });

  test("sets, changes and ends the expiry of results", async () => {
    const ttl = { key: { "window.end": 1 } };
    await openStore("ttl", 1_500);
    expect(await indexes("ttl")).toContainEqual({ ...ttl, expireAfterSeconds: 2 });
    await openStore("ttl", 3_600_000);
    expect(await indexes("ttl")).toContainEqual({ ...ttl, expireAfterSeconds: 3_600 });
    await openStore("ttl", null);
    expect((await indexes("ttl")).filter((index) => "expireAfterSeconds" in index)).toEqual([]);
  });

  test("names a server that is away in one line, without credentials, for a retry", async () => {
    const url =
      "mongodb://somebody:s3cret@127.0.0.1:1/?directConnection=true&serverSelectionTimeoutMS=50";
    const opening = openDocumentStore({ url, database, collection: "away", resultTtlMs: null });
    const error: unknown = await opening.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ code: "SERVER_UNAVAILABLE", disposition: "retry" });
    const line = error instanceof Error ? error.message : "";
    expect(line).toMatch(/^MongoDB at 127\.0\.0\.1:1 \(MONGODB_URL\) does not answer: [^\n]+$/);
    expect(line).not.toMatch(/s3cret|somebody/);
    expect(mongoAddress(url)).toBe("127.0.0.1:1");
  });
});

test.each<[string, number[], string[] | undefined]>([
  ["a validator refused one", [121], ["refused"]],
  ["another writer was first, and one is too large", [11_000, 10_334], ["lost race", "refused"]],
  ["another writer was first", [11_000], ["lost race"]],
  ["of one nobody knows what happened", [121, 91], undefined],
  ["the bulk as a whole failed", [], undefined],
])("a bulk is settled write by write, unless in doubt: %s", async (_, codes, expected) => {
  const result = await rawCollection("bulk").bulkWrite([{ deleteOne: { filter: { _id: "x" } } }]);
  const writeErrors = codes.map((code, index) => ({ code, index, errmsg: "no" }));
  const error = new MongoBulkWriteError(Object.assign(new Error("no"), { writeErrors }), result);
  const settled = bulkWriteErrors(error);
  expect(settled?.map((one) => (refusesDocument(one) ? "refused" : "lost race"))).toEqual(expected);
});

test("after closing, the store asks for a retry instead of pretending", async () => {
  const store = await openStore();
  await store[Symbol.asyncDispose]();
  await expect(store.find(["x"])).rejects.toThrow(StreamError);
});

function rawCollection(name: string): Collection<Document & { _id: string }> {
  return mongo.client.db(database).collection(name);
}

async function rawDocument(name: string, id: string): Promise<Document | null> {
  return rawCollection(name).findOne({ _id: id }, { promoteLongs: false });
}

async function indexes(name: string): Promise<object[]> {
  const listed = await rawCollection(name).listIndexes().toArray();
  return listed.map(({ key, expireAfterSeconds }) =>
    expireAfterSeconds === undefined ? { key } : { key, expireAfterSeconds },
  );
}
