import { appendFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { BSON, Long, MongoClient } from "mongodb";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startMongo } from "../../src/mongo/server.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "devstack-mongo-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

type Row = { _id: string; rev?: Long; at?: Date; kept?: boolean };

test("a frozen server answers nothing and a thawed one everything", async () => {
  await using server = await startMongo();
  await using client = await MongoClient.connect(server.url);
  const rows = client.db("d").collection<Row>("rows");
  await rows.insertOne({ _id: "a" });
  server.freeze();
  let answered = false;
  const read = rows.findOne({ _id: "a" }).then((row) => {
    answered = true;
    return row;
  });
  await delay(30); // nothing to wait for: an answer would be here within a millisecond
  expect(answered).toBe(false);
  server.thaw();
  expect(await read).toEqual({ _id: "a" });
});

test("cut connections fail what is under way, and the client connects again", async () => {
  await using server = await startMongo();
  await using client = await MongoClient.connect(server.url, { retryReads: false });
  const rows = client.db("d").collection<Row>("rows");
  await rows.insertOne({ _id: "a" });
  server.freeze();
  const read = rows.findOne({ _id: "a" });
  server.disconnectAll();
  await expect(read).rejects.toMatchObject({ name: "MongoNetworkError" });
  server.thaw();
  expect(await rows.findOne({ _id: "a" })).toEqual({ _id: "a" });
});

test("a port that is taken is an error, and does not touch the file", async () => {
  await using server = await startMongo();
  const file = join(directory, "journal");
  await expect(startMongo({ port: server.port, file })).rejects.toMatchObject({
    code: "EADDRINUSE",
  });
  expect(() => statSync(file)).toThrow("ENOENT");
});

test("closing twice is closing once", async () => {
  const server = await startMongo({ file: join(directory, "journal") });
  await server.close();
  await server.close();
});

test("documents expire by the clock of the server, under each TTL index", async () => {
  let nowMs = Date.parse("2026-01-01T00:00:00Z");
  await using server = await startMongo({ nowMs: () => nowMs, expiryIntervalMs: 3_600_000 });
  await using client = await MongoClient.connect(server.url);
  const rows = client.db("d").collection<Row>("rows");
  await rows.createIndex(
    { at: 1 },
    { expireAfterSeconds: 60, partialFilterExpression: { kept: false } },
  );
  await rows.insertMany([
    { _id: "old", at: new Date(nowMs - 59_999), kept: false },
    { _id: "young", at: new Date(nowMs), kept: false },
    { _id: "kept", at: new Date(0), kept: true },
    { _id: "undated", kept: false },
  ]);
  expect(server.expire()).toBe(0);
  nowMs += 1;
  expect(server.expire()).toBe(1);
  expect((await rows.find().toArray()).map(({ _id }) => _id)).toEqual(["young", "kept", "undated"]);
});

test("with a file, a server starts with all that the last one answered for", async () => {
  const file = join(directory, "journal");
  {
    await using server = await startMongo({ file });
    await using client = await MongoClient.connect(server.url);
    const rows = client.db("d").collection<Row>("rows");
    await rows.createIndex({ at: 1 }, { unique: true, sparse: true });
    await rows.insertMany([{ _id: "a", at: new Date(1) }, { _id: "b" }, { _id: "c" }]);
    await rows.updateOne({ _id: "a" }, { $set: { rev: Long.fromNumber(7) } });
    await rows.deleteOne({ _id: "b" });
    await client.db("d").collection("dropped").insertOne({ a: 1 });
    await client.db("d").collection("dropped").drop();
  }
  for (let restart = 0; restart < 2; restart++) {
    await using server = await startMongo({ file });
    await using client = await MongoClient.connect(server.url, { promoteLongs: false });
    const rows = client.db("d").collection<Row>("rows");
    expect(await rows.find().toArray()).toEqual([
      { _id: "a", at: new Date(1), rev: Long.fromNumber(7) },
      { _id: "c" },
    ]);
    await expect(rows.insertOne({ _id: "d", at: new Date(1) })).rejects.toMatchObject({
      code: 11000,
    });
    expect((await client.db("d").listCollections().toArray()).map(({ name }) => name)).toEqual([
      "rows",
    ]);
  }
});

test("a journal that was cut in its last entry starts without that entry", async () => {
  const file = join(directory, "journal");
  {
    await using server = await startMongo({ file });
    await using client = await MongoClient.connect(server.url);
    await client.db("d").collection<Row>("rows").insertOne({ _id: "a" });
  }
  appendFileSync(
    file,
    BSON.serialize({ kind: "put", namespace: "d.rows", document: { _id: "b" } }).subarray(0, 30),
  );
  await using server = await startMongo({ file });
  await using client = await MongoClient.connect(server.url);
  expect(await client.db("d").collection<Row>("rows").find().toArray()).toEqual([{ _id: "a" }]);
});

function message(opCode: number, body: Uint8Array): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(16 + body.length, 0);
  header.writeInt32LE(7, 4);
  header.writeInt32LE(opCode, 12);
  return Buffer.concat([header, body]);
}

function command(
  flags: number,
  sections: readonly Uint8Array[],
  trailer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(flags, 0);
  return message(2013, Buffer.concat([head, ...sections, trailer]));
}

const kind0 = (document: BSON.Document): Buffer =>
  Buffer.concat([Buffer.from([0]), BSON.serialize(document)]);

/** Sends chunks, one event-loop turn each, and resolves with all that comes back until the server ends it or `wantedBytes` are there. */
function exchange(
  port: number,
  chunks: readonly Buffer[],
  wantedReplies: number,
): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let received = Buffer.alloc(0);
    const replies: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 4 && received.length >= received.readInt32LE(0)) {
        const lengthBytes = received.readInt32LE(0);
        replies.push(received.subarray(0, lengthBytes));
        received = received.subarray(lengthBytes);
      }
      if (replies.length >= wantedReplies) socket.destroy();
    });
    socket.on("close", () => resolve(replies));
    socket.on("error", reject);
    const send = (at: number): void => {
      const chunk = chunks[at];
      if (chunk !== undefined) socket.write(chunk, () => setImmediate(send, at + 1));
    };
    socket.on("connect", () => send(0));
  });
}

test("a message may arrive byte by byte, or several at once", async () => {
  await using server = await startMongo();
  const ping = command(0, [kind0({ ping: 1, $db: "admin" })]);
  const bytes = Array.from(ping, (_, at) => ping.subarray(at, at + 1));
  const replies = await exchange(server.port, [...bytes, Buffer.concat([ping, ping])], 3);
  expect(replies.map((reply) => BSON.deserialize(reply.subarray(21)))).toEqual([
    { ok: 1 },
    { ok: 1 },
    { ok: 1 },
  ]);
});

test("the first hello may be an OP_QUERY", async () => {
  await using server = await startMongo();
  const body = Buffer.concat([
    Buffer.alloc(4),
    Buffer.from("admin.$cmd\0"),
    Buffer.from([0, 0, 0, 0, 255, 255, 255, 255]),
    BSON.serialize({ ismaster: 1, helloOk: true }),
  ]);
  const [reply = Buffer.alloc(0)] = await exchange(server.port, [message(2004, body)], 1);
  expect(reply.readInt32LE(12)).toBe(1);
  expect(BSON.deserialize(reply.subarray(36))).toMatchObject({
    ismaster: true,
    helloOk: true,
    ok: 1,
  });
});

test("a checksum is skipped, a document sequence joins its command, moreToCome is not answered", async () => {
  await using server = await startMongo();
  const name = Buffer.from("documents\0");
  const documents = [{ _id: 1 }, { _id: 2 }].map((document) => BSON.serialize(document));
  const sequence = Buffer.concat([Buffer.alloc(5), name, ...documents]);
  sequence.writeUInt8(1, 0);
  sequence.writeInt32LE(sequence.length - 1, 1);
  const insert = kind0({ insert: "c", $db: "d" });
  const count = command(0, [kind0({ count: "c", $db: "d" })]);
  const withChecksum = command(1, [sequence, insert], Buffer.from("abcd"));
  const unanswered = command(2, [kind0({ insert: "c", documents: [{ _id: 3 }], $db: "d" })]);
  const replies = await exchange(server.port, [withChecksum, unanswered, count], 2);
  expect(replies.map((reply) => BSON.deserialize(reply.subarray(21)))).toEqual([
    { n: 2, ok: 1 },
    { n: 3, ok: 1 },
  ]);
});

const lengthBomb = Buffer.alloc(16);
lengthBomb.writeInt32LE(2 ** 31 - 1, 0);

test.for<[string, Buffer]>([
  ["a length beyond all bounds", lengthBomb],
  ["a length below the header", Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])],
  ["an unknown op code", message(2012, Buffer.alloc(9))],
  ["an unknown section", command(0, [Buffer.from([9, 5, 0, 0, 0, 0])])],
  ["a document longer than its message", command(0, [Buffer.from([0, 255, 0, 0, 0, 0])])],
  ["a document that is no BSON", command(0, [Buffer.from([0, 8, 0, 0, 0, 99, 1, 1, 0])])],
  ["an HTTP request", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
])("%s ends that connection with a line in the log, and only that", async ([, bytes]) => {
  const lines: string[] = [];
  await using server = await startMongo({ log: (line) => lines.push(line) });
  expect(await exchange(server.port, [bytes], 1)).toEqual([]);
  expect(lines).toHaveLength(1);
  await using client = await MongoClient.connect(server.url);
  expect(await client.db("d").command({ ping: 1 })).toEqual({ ok: 1 });
});
