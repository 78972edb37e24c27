import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Kafka, logLevel } from "kafkajs";
import { MongoClient } from "mongodb";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startDevstack, type DevstackEnvironment } from "../src/start-devstack.ts";

const main = join(import.meta.dirname, "../src/main.ts");
const children: ChildProcess[] = [];
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "devstack-"));
});

afterEach(() => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

async function partitionCount(
  { KAFKA_BROKERS }: DevstackEnvironment,
  topic: string,
): Promise<number> {
  const admin = new Kafka({ brokers: [KAFKA_BROKERS], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]?.partitions.length ?? 0;
  } finally {
    await admin.disconnect();
  }
}

async function createTopic({ KAFKA_BROKERS }: DevstackEnvironment, topic: string): Promise<void> {
  const admin = new Kafka({ brokers: [KAFKA_BROKERS], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 3 }] });
  await admin.disconnect();
}

async function schemaId(
  { SCHEMA_REGISTRY_URL }: DevstackEnvironment,
  schema: string,
): Promise<unknown> {
  const response = await fetch(`${SCHEMA_REGISTRY_URL}/subjects/s/versions`, {
    method: "POST",
    body: JSON.stringify({ schema }),
  });
  const body: unknown = await response.json();
  return typeof body === "object" && body !== null && "id" in body ? body.id : body;
}

test("the three servers start in one process, answer and close", async () => {
  const devstack = await startDevstack();
  const { environment } = devstack;
  await createTopic(environment, "t");
  expect(await partitionCount(environment, "t")).toBe(3);
  expect(await schemaId(environment, '"string"')).toBe(1);
  await using client = await MongoClient.connect(environment.MONGODB_URL);
  expect(await client.db("d").command({ ping: 1 })).toEqual({ ok: 1 });
  await client.close();
  await devstack.close();
  await devstack.close();
  await expect(fetch(environment.SCHEMA_REGISTRY_URL)).rejects.toThrow("fetch failed");
});

test("a start that fails frees the ports it had taken", async () => {
  const busy = createServer().listen(0, "127.0.0.1");
  await once(busy, "listening");
  const address = busy.address();
  const mongo = typeof address === "object" ? address?.port : undefined;
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const freeAddress = free.address();
  const kafka = typeof freeAddress === "object" ? freeAddress?.port : undefined;
  free.close();
  await once(free, "close");
  try {
    await expect(startDevstack({ ports: { kafka, mongo } })).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
    await using devstack = await startDevstack({ ports: { kafka } });
    expect(devstack.kafka.port).toBe(kafka);
  } finally {
    busy.close();
  }
});

test("with a data directory, topics, schema ids and documents are there after a restart", async () => {
  const dataDirectory = join(directory, "data");
  {
    await using devstack = await startDevstack({ dataDirectory });
    await createTopic(devstack.environment, "t");
    await schemaId(devstack.environment, '"bytes"');
    expect(await schemaId(devstack.environment, '"string"')).toBe(2);
    await using client = await MongoClient.connect(devstack.environment.MONGODB_URL);
    await client.db("d").collection<{ _id: string }>("c").insertOne({ _id: "a" });
    await expect(startDevstack({ dataDirectory })).rejects.toMatchObject({ code: "ELOCKED" });
  }
  await using devstack = await startDevstack({ dataDirectory });
  expect(await partitionCount(devstack.environment, "t")).toBe(3);
  expect(await schemaId(devstack.environment, '"string"')).toBe(2);
  await using client = await MongoClient.connect(devstack.environment.MONGODB_URL);
  expect(await client.db("d").collection("c").countDocuments()).toBe(1);
});

type Started = { child: ChildProcess; lines: string[]; ready: Promise<DevstackEnvironment> };

function start(args: readonly string[], how: "fork" | "spawn" = "spawn"): Started {
  const child =
    how === "fork"
      ? fork(main, [...args], { stdio: ["ignore", "pipe", "pipe", "ipc"] })
      : spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  const lines: string[] = [];
  const ready = new Promise<DevstackEnvironment>((resolve) => {
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      lines.push(...text.split("\n").filter((line) => line !== ""));
      const json = lines.find((line) => line.startsWith("{"));
      if (json !== undefined) resolve(JSON.parse(json).environment);
    });
  });
  return { child, lines, ready };
}

async function exitCode(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode;
}

test.for(["SIGTERM", "SIGINT"] as const)(
  "as a process, it says what it is and where, and %s ends it with 0",
  async (signal) => {
    const { child, lines, ready } = start([]);
    const environment = await ready;
    expect(lines).toEqual([
      expect.stringContaining("for development only"),
      JSON.stringify({ environment }),
    ]);
    expect(await (await fetch(`${environment.SCHEMA_REGISTRY_URL}/subjects`)).json()).toEqual([]);
    await using client = await MongoClient.connect(environment.MONGODB_URL); // an open connection does not hold it up
    expect(await client.db("d").command({ ping: 1 })).toEqual({ ok: 1 });
    child.kill(signal);
    expect(await exitCode(child)).toBe(0);
  },
);

test("as a child, it tells its parent where the servers are", async () => {
  const { child, ready } = start([], "fork");
  const [message] = await once(child, "message");
  expect(message).toEqual({ environment: await ready });
});

test("as a child, it ends when its parent's channel is gone", async () => {
  const { child, ready } = start([], "fork");
  await ready;
  child.disconnect();
  expect(await exitCode(child)).toBe(0);
});

test("as a child, a signal ends it although the channel is open", async () => {
  const { child, ready } = start([], "fork");
  await ready;
  child.kill("SIGTERM");
  expect(await exitCode(child)).toBe(0);
});

const busyPort = async (): Promise<{ port: number; release: () => void }> => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" ? (address?.port ?? 0) : 0,
    release: () => server.close(),
  };
};

test.for(["--kafka-port", "--registry-port", "--mongo-port"])(
  "%s that is taken is one line and exit 64",
  async (flag) => {
    const { port, release } = await busyPort();
    const { child, lines } = start([flag, String(port)]);
    const errors: string[] = [];
    child.stderr?.setEncoding("utf8").on("data", (text: string) => errors.push(text));
    await once(child, "close");
    expect(child.exitCode).toBe(64);
    expect(errors.join("")).toMatch(new RegExp(`^devstack: .*EADDRINUSE.*${port}\n$`));
    expect(lines).toEqual([]);
    release();
  },
);

test.for(["--kafka-port 70000", "--kafka-port x", "--frobnicate", "extra"])(
  "'%s' is exit 64",
  async (args) => {
    const { child } = start(args.split(" "));
    expect(await exitCode(child)).toBe(64);
  },
);

test("a data directory that a killed process left behind is taken over", async () => {
  const { child, ready } = start(["--data", directory]);
  const { MONGODB_URL } = await ready;
  {
    await using client = await MongoClient.connect(MONGODB_URL);
    await client.db("d").collection<{ _id: string }>("c").insertOne({ _id: "a" });
  }
  child.kill("SIGKILL");
  await once(child, "exit");
  await using devstack = await startDevstack({ dataDirectory: directory });
  await using client = await MongoClient.connect(devstack.environment.MONGODB_URL);
  expect(await client.db("d").collection("c").countDocuments()).toBe(1);
});
