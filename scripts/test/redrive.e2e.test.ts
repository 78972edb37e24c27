import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adEventSchema } from "@adstream/contracts/ad-event";
import { valueSubject } from "@adstream/contracts/topics";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { frame } from "@adstream/kafka/wire-format";
import { Kafka, logLevel } from "kafkajs";
import { MongoClient } from "mongodb";
import { expect, test } from "vitest";
import { checkDocuments, checkLines, passed } from "../dev/check.ts";
import { startPipeline } from "../dev/pipeline.ts";
import { openServers } from "../dev/servers.ts";
import { createTestTopics } from "./test-topics.ts";

type Environment = Readonly<Record<string, string>>;

const unreadable = 20;
/** Long enough that what is redriven a minute later still counts. */
const lateness = "10m";

test(
  "records of a schema that was registered too late are redriven once, and every count is right before and after",
  { timeout: 240_000 },
  async () => {
    const path = await mkdtemp(join(tmpdir(), "adstream-redrive-"));
    await using resources = new AsyncDisposableStack();
    resources.defer(() => rm(path, { recursive: true, force: true }));
    const gaveUp: string[] = [];
    const child = {
      logDirectory: path,
      say: () => {},
      onGiveUp: (code: number, words: string) => gaveUp.push(`${code}: ${words}`),
    };
    const servers = resources.use(await openServers("embedded", child));
    const env: Environment = {
      ...(await createTestTopics({ ...process.env, ...servers.environment })),
      ...servers.environment,
      CHECKPOINT_URL: `file:${join(path, "checkpoints")}`,
      CHECKPOINT_INTERVAL: "1s",
      ALLOWED_LATENESS: lateness,
      HTTP_PORT: "0",
    };
    const pipelineOf = (count: number, more: Environment = {}) => {
      const traffic = [`--count=${count}`, "--rate=500", "--ads=20", "--late-ratio=0.01"];
      return startPipeline({ ...child, environment: { ...env, ...more }, processors: 1, traffic });
    };

    const first = pipelineOf(2_000);
    await first.produced;
    const schemaId = (await register(env, "filler", { type: "fixed", name: "F", size: 1 })) + 1;
    await sendEvents(env, schemaId);
    expect(await first.drain()).toEqual([]);
    const before = await checkDocuments(env);
    expect(passed(before), checkLines(before).join("\n")).toBe(true);
    expect(before.records).toMatchObject({ dead: unreadable });
    const [, listed] = await run(["scripts/dlq.ts", "list"], env);
    expect(listed).toMatch(new RegExp(`unknown schema id +${schemaId} `));
    expect(listed).toContain(`${unreadable} letters`);

    expect(await register(env, valueSubject("mended"), JSON.parse(adEventSchema))).toBe(schemaId);
    const second = pipelineOf(50, { RETRY_SCHEMAS: "true" });
    await second.produced;
    const redrives = [];
    for (let round = 0; round < 2; round++) {
      redrives.push(await run(["scripts/dlq.ts", "redrive", "--yes"], env));
    }
    expect(redrives).toEqual([
      [0, expect.stringContaining(`${unreadable} letters redriven`)],
      [0, expect.stringContaining(`${unreadable} were redriven before`)],
    ]);
    expect(await second.drain()).toEqual([]);
    const after = await checkDocuments(env);
    expect(passed(after), checkLines(after).join("\n")).toBe(true);
    expect(after.records.dead).toBe(unreadable);
    expect(after.records.counted + after.records.late).toBe(
      before.records.counted + before.records.late + 50 + unreadable,
    );
    expect(checkLines(after).join("\n")).toMatch(new RegExp(`redriven records +${unreadable}\n`));
    expect(gaveUp).toEqual([]);

    expect(await run(["packages/verify/src/main.ts"], env)).toEqual([
      0,
      expect.stringContaining("\nall equal\n"),
    ]);
    await spoil(env);
    const [code, report] = await run(["packages/verify/src/main.ts"], env);
    expect(code).toBe(1);
    for (const [name, figure] of [
      ["different", 1],
      ["missing", 1],
      ["extra", 1],
    ]) {
      expect(report).toMatch(new RegExp(`\n  ${name} +${figure}\n`));
    }
    expect(report).toContain("NOT EQUAL: 3 of");
    const range = ["--from", new Date(Date.now() - 3_600_000).toISOString()];
    const until = ["--to", new Date(Date.now() + 3_600_000).toISOString()];
    const ranged = await run(["packages/verify/src/main.ts", ...range, ...until], env);
    expect(ranged).toEqual([1, expect.stringContaining("NOT EQUAL: 3 of")]);
    expect((await run(["packages/verify/src/main.ts", ...range], env))[0]).toBe(64);
  },
);

async function register(env: Environment, subject: string, schema: object): Promise<number> {
  const url = `${env["SCHEMA_REGISTRY_URL"]}/subjects/${subject}/versions`;
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
    // Another text than the producer's: the same one would have its id.
    body: JSON.stringify({ schema: JSON.stringify({ ...schema, doc: subject }) }),
  });
  return Number(Reflect.get(Object(await answer.json()), "id"));
}

async function sendEvents(env: Environment, schemaId: number): Promise<void> {
  const { encode } = avroCodec(adEventSchema);
  const figures = { clicks: 1, views: 4, cost: 0.5, event_id: null, timestamp: Date.now() };
  const messages = Array.from({ length: unreadable }, (_, index) => ({
    key: `ad_${index}`,
    value: frame(schemaId, encode({ ...figures, ad_id: `ad_${index}` })),
  }));
  const brokers = (env["KAFKA_BROKERS"] ?? "").split(",");
  const producer = new Kafka({ brokers, logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  await producer.send({ topic: env["EVENTS_TOPIC"] ?? "", messages });
  await producer.disconnect();
}

/** One count too many, one document too few, one too many. */
async function spoil(env: Environment): Promise<void> {
  await using client = new MongoClient(env["MONGODB_URL"] ?? "");
  const collection = client
    .db(env["MONGODB_DATABASE"] ?? "")
    .collection<{ _id: string }>("ad_stats");
  const [one, two, three] = await collection.find().limit(3).toArray();
  if (one === undefined || two === undefined || three === undefined)
    throw new Error("no documents");
  await collection.updateOne({ _id: one._id }, { $inc: { count: 1 } });
  await collection.deleteOne({ _id: two._id });
  await collection.insertOne({ ...three, _id: `${three._id}x` });
}

/** @returns exit code and what was printed, errors included */
function run(argv: readonly string[], env: Environment): Promise<[number, string]> {
  const { promise, resolve } = Promise.withResolvers<[number, string]>();
  const options = { env: { ...process.env, ...env } };
  execFile(process.execPath, [...argv], options, (error, stdout, stderr) => {
    resolve([typeof error?.code === "number" ? error.code : 0, stdout + stderr]);
  });
  return promise;
}
