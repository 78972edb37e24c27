import { adStatsSchema } from "@adstream/contracts/ad-stats";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { encodeBatch } from "@adstream/kafka/test/encode-batch";
import { frame } from "@adstream/kafka/wire-format";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";

import { createIntakeQueue } from "../src/intake-queue.ts";
import { createResultReader } from "../src/read-results.ts";
import type { ResultRows } from "../src/result-rows.ts";
import { adResult } from "./fakes/ad-results.ts";
import { manualClock } from "./fakes/manual-clock.ts";

const schemaId = 7;
/** Of as many bytes each, but two figures have changed places. */
const otherId = 8;
const otherSchema = adStatsSchema
  .replace("total_clicks", "total_")
  .replace("total_views", "total_clicks")
  .replace("total_", "total_views");

const codec = avroCodec(adStatsSchema, { bigintFields: ["version"] });

function framed(given: Parameters<typeof adResult>[0]): Buffer {
  return frame(schemaId, codec.encode(adResult(given)));
}

/** A reader of results, and how many it has decoded. */
function openReader() {
  let decodes = 0;
  const read = createResultReader({
    registry: {
      fetchSchema: (id) =>
        Promise.resolve({ kind: "schema", text: id === otherId ? otherSchema : adStatsSchema }),
    },
    compile: (text) => {
      const { decode } = avroCodec(text, { bigintFields: ["version"] });
      return (bytes) => {
        decodes += 1;
        return decode(bytes);
      };
    },
    clock: manualClock(),
  });
  return { read, decodes: () => decodes };
}

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

const arrival = { partition: 3, nextOffset: 0, canary: "", maxTimestamp: 0 };

async function readAll(
  read: ReturnType<typeof openReader>["read"],
  values: readonly (Buffer | null)[],
  fromOffset: number,
) {
  const records = values.map((value, at) => ({ offset: 40 + at, timestamp: 100 + at, value }));
  const batch = await read(3, encodeBatch({ records }), fromOffset);
  const queue = createIntakeQueue();
  queue.add({ ...arrival, ...batch });
  const [taken] = queue.take(100);
  const results = (taken?.results ?? []).map(({ ad_id, version }, index) => {
    const [record] = taken?.records([index]) ?? [];
    const { partition, offset, timestamp, value } = record ?? {};
    expect([partition, (timestamp ?? 0) - 100]).toEqual([3, (offset ?? 0) - 40]);
    expect(
      Buffer.compare(value ?? Buffer.alloc(0), values[(offset ?? 0) - 40] ?? Buffer.alloc(0)),
    ).toBe(0);
    return `${offset}: ${ad_id}@${version}`;
  });
  return { results, refused: taken?.refused.map(({ offset, reason }) => `${offset}: ${reason}`) };
}

test("of results that supersede each other only the newest is ever made", async () => {
  const { read, decodes } = openReader();
  await readAll(read, [framed({})], 40); // The schema is known from now on.
  const before = decodes();
  const versions = [2n, 4n, 2n ** 48n, 2n ** 48n - 2n, 6n];
  const values = versions.map((version) => framed({ ad_id: "a", version }));
  values.push(framed({ ad_id: "b" }));
  expect(await readAll(read, values, 40)).toEqual({
    results: ["42: a@281474976710656", "45: b@2"],
    refused: [],
  });
  expect(decodes() - before).toBe(2);
});

test("a batch may hold results of several writers", async () => {
  const { read } = openReader();
  const other = avroCodec(otherSchema, { bigintFields: ["version"] });
  const figures = { total_clicks: 1, total_views: 2 };
  const values = [framed(figures), frame(otherId, other.encode(adResult(figures)))];
  const batch = encodeBatch({ records: values.map((value, offset) => ({ offset, value })) });
  // With the schemas unknown, and known.
  for (let time = 0; time < 2; time++) {
    const { rows } = await read(3, batch, 0);
    expect([rows.result(0), rows.result(1)]).toEqual([adResult(figures), adResult(figures)]);
  }
});

test("batches that are read later change nothing about those that wait", async () => {
  const { read } = openReader();
  await readAll(read, [framed({})], 40);
  const batchOf = (values: readonly Buffer[]): Buffer =>
    encodeBatch({ records: values.map((value, offset) => ({ offset, value })) });
  const waiting = await read(3, batchOf([framed({ ad_id: "a" }), framed({ ad_id: "b" })]), 0);
  await read(3, batchOf([framed({ ad_id: "a longer id" }), framed({ ad_id: "c" })]), 1);
  expect([0, 1].map((row) => waiting.rows.result(row)["ad_id"])).toEqual(["a", "b"]);
  expect(waiting.rows.records([1])).toMatchObject([{ offset: 1, key: null }]);
});

test("some rows of a batch can be had in memory of their own, and some of those again", async () => {
  const { read } = openReader();
  await readAll(read, [framed({})], 40);
  const sound = ["a", "b", "c", "d"].map((ad_id, at) => {
    return framed({ ad_id, version: at === 3 ? 2n ** 48n + 9n : BigInt(at + 2) });
  });
  const key = Buffer.from("key");
  for (const values of [sound, [...sound, Buffer.from("no result")]]) {
    const records = values.map((value, at) => ({ offset: 7 + at, key, value }));
    const batch = encodeBatch({ records });
    const { rows } = await read(3, batch, 7);
    const some = rows.copied([0, 2, 3]);
    const again = some.copied([1, 2]);
    const names = [...rows.names];
    batch.fill(0);
    rows.names.fill("");
    expect(some.names).toEqual([names[0], names[2], names[3]]);
    expect(again.names).toEqual([names[2], names[3]]);
    expect([...again.epochs, ...again.steps]).toEqual([0, 1, 4, 9]);
    expect([0, 1, 2].map((row) => some.result(row)["ad_id"])).toEqual(["a", "c", "d"]);
    expect([0, 1].map((row) => again.result(row)["version"])).toEqual([4n, 2n ** 48n + 9n]);
    const [record] = again.records([1]);
    expect(record).toMatchObject({ partition: 3, offset: 10, timestamp: 0 });
    expect([record?.key, record?.value].map((part) => Buffer.from(part ?? []))).toEqual([
      key,
      sound[3],
    ]);
    const bytes = [0, 2, 3].reduce((sum, row) => sum + key.length + (sound[row]?.length ?? 0), 0);
    expect([some.count, some.buffer?.byteLength]).toEqual([3, bytes]);
  }
});

test.each([
  ["sound", []],
  ["odd", [Buffer.from("no result")]],
])("of a batch that is %s nothing is kept by rows that were copied", async (_, odd) => {
  const { read } = openReader();
  await readAll(read, [framed({})], 40);
  const before = async (): Promise<[ResultRows, WeakRef<ArrayBufferLike>]> => {
    const values = [framed({ ad_id: "a" }), framed({ ad_id: "b" }), ...odd];
    const bytes = encodeBatch({ records: values.map((value, offset) => ({ offset, value })) });
    const batch = Buffer.from(new Uint8Array(bytes).buffer);
    const { rows } = await read(3, batch, 0);
    return [rows.copied([1]).copied([0]), new WeakRef(batch.buffer)];
  };
  const [rows, memory] = await before();
  await readAll(read, [framed({})], 40); // Into the memory that is used again for each batch.
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  expect(memory.deref()).toBeUndefined();
  expect(rows.result(0)["ad_id"]).toBe("b");
});

test("records before the wanted offset are left out", async () => {
  const { read } = openReader();
  const values = [framed({ ad_id: "a" }), framed({ ad_id: "b" }), framed({ ad_id: "c" })];
  const wanted = { results: ["41: b@2", "42: c@2"], refused: [] };
  // With the schema unknown, and known.
  expect(await readAll(read, values, 41)).toEqual(wanted);
  expect(await readAll(read, values, 41)).toEqual(wanted);
  expect(await readAll(read, values, 50)).toEqual({ results: [], refused: [] });
});

test("what is no result is refused, and keeps nothing else from being one", async () => {
  const { read } = openReader();
  const values = [
    framed({ ad_id: "a" }),
    frame(schemaId, codec.encode({ ...adResult(), ad_id: "" })),
    framed({ ad_id: "ä" }),
    null,
    framed({ ad_id: "a", version: 4n }).subarray(0, 30),
    Buffer.from("x"),
  ];
  const wanted = {
    results: ["40: a@2", "42: ä@2"],
    refused: [
      "41: ad_id: has a wrong size",
      "43: null value",
      "44: truncated or malformed Avro",
      "45: short frame",
    ],
  };
  expect(await readAll(read, values, 40)).toEqual(wanted);
  expect(await readAll(read, values, 40)).toEqual(wanted);
});
