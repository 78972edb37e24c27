import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { adEventSchema } from "@adstream/contracts/ad-event";
import { defaultTopics, topicSpecs, valueSubject } from "@adstream/contracts/topics";
import { startDevstack } from "@adstream/devstack/start-devstack";
import { connectKafka } from "@adstream/kafka/connection";
import { createTopics, describeTopics } from "@adstream/kafka/topics";
import { openLog } from "@adstream/service/log";
import { afterAll, beforeAll, expect, test } from "vitest";
import { seededGaps } from "@adstream/traffic/arrivals";
import type { ChildProcess } from "node:child_process";
import type { Devstack } from "@adstream/devstack/start-devstack";

const program = join(import.meta.dirname, "../src/main.ts");
/** A port that nothing listens on. */
const nowhere = "127.0.0.1:1";

let devstack: Devstack;
let kafka: ReturnType<typeof connectKafka>;
beforeAll(async () => {
  devstack = await startDevstack();
  const brokers = [devstack.environment.KAFKA_BROKERS];
  const log = openLog({ name: "test", level: "silent" });
  kafka = connectKafka({ brokers, clientId: "test", securityProtocol: "PLAINTEXT" }, log);
});
afterAll(() => devstack.close());

type Producer = {
  readonly child: ChildProcess;
  readonly messages: Record<string, unknown>[];
  readonly output: { out: string; err: string };
  readonly code: Promise<unknown>;
};

function start(args: string[], env: Record<string, string> = {}): Producer {
  const { KAFKA_BROKERS, SCHEMA_REGISTRY_URL } = devstack.environment;
  const child = fork(program, args, {
    env: { PATH: process.env["PATH"], KAFKA_BROKERS, SCHEMA_REGISTRY_URL, ...env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    execArgv: [],
  });
  const messages: Record<string, unknown>[] = [];
  const output = { out: "", err: "" };
  child.on("message", (message) => messages.push(Object(message)));
  child.stdout?.on("data", (chunk) => (output.out += String(chunk)));
  child.stderr?.on("data", (chunk) => (output.err += String(chunk)));
  const code = once(child, "close").then(([exitCode]) => exitCode);
  return { child, messages, output, code };
}

async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** A topic of the test's own. */
async function createEvents(topic: string): Promise<{ EVENTS_TOPIC: string }> {
  const [spec] = topicSpecs({ ...defaultTopics, events: topic }, { partitions: 3 });
  await createTopics(kafka, spec === undefined ? [] : [spec]);
  return { EVENTS_TOPIC: topic };
}

async function recordsIn(topic: string): Promise<number[]> {
  const [description] = await describeTopics(kafka, [topic]);
  return (description?.offsets ?? []).map(({ low, high }) => high - low);
}

function post(path: string, body: object): Promise<Response> {
  return fetch(devstack.environment.SCHEMA_REGISTRY_URL + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

test("sends as many records as asked for, keyed over all partitions, and ends with 0", async () => {
  const env = await createEvents("counted");
  const flags = ["--count=3000", "--rate=5000", "--bad-ratio=0.05", "--redeliver-ratio=0.05"];
  const { code, output, messages } = start(flags, env);
  expect([await code, output.err]).toEqual([0, ""]);
  const records = await recordsIn("counted");
  expect(records.reduce((sum, count) => sum + count, 0)).toBe(3_000);
  expect(Math.min(...records)).toBeGreaterThan(0);
  expect(messages.at(-1)).toMatchObject({ service: "producer", produced: 3_000 });
  const { events, redelivered, bad } = Object(messages.at(-1));
  expect(events + redelivered + bad).toBe(3_000);
});

test("registers the schema of the events under the topic's subject", async () => {
  const env = await createEvents("registered");
  expect(await start(["--count=1"], env).code).toBe(0);
  const { SCHEMA_REGISTRY_URL: url } = devstack.environment;
  const subject = valueSubject("registered");
  const latest = await (await fetch(`${url}/subjects/${subject}/versions/latest`)).json();
  expect(JSON.parse(Object(latest).schema)).toEqual(JSON.parse(adEventSchema));
});

test("interactions of a Poisson schedule: 2 s of it, in JSON on the topic events, none lost or added", async () => {
  await createEvents("events");
  const flags = ["--job=campaign-counts", "--model=poisson", "--rate=2000", "--duration=2s"];
  const { code, output, messages } = start([...flags, "--seed=5"]);
  expect([await code, output.err]).toEqual([0, ""]);
  const next = seededGaps("poisson", 2_000, 5);
  let scheduled = 0;
  for (let atMs = 0; atMs < 2_000; atMs += next()) scheduled++;
  expect(messages.at(-1)).toMatchObject({ produced: scheduled, events: scheduled });
  const records = await recordsIn("events");
  expect(records.reduce((sum, count) => sum + count, 0)).toBe(scheduled);
  expect(Math.min(...records)).toBeGreaterThan(0);
});

test("SIGTERM under load ends it with 0, and every record it counted is in the log", async () => {
  const env = await createEvents("stopped");
  const { child, code, messages } = start(["--rate=20000"], env);
  await eventually(() => messages.some((message) => Number(message["produced"]) > 1_000));
  child.kill("SIGTERM");
  expect(await code).toBe(0);
  const records = await recordsIn("stopped");
  expect(records.reduce((sum, count) => sum + count, 0)).toBe(messages.at(-1)?.["produced"]);
});

test("ends when its parent is gone", async () => {
  const env = await createEvents("orphaned");
  const { child, messages } = start([], env);
  await eventually(() => messages.some((message) => message["ready"] === true));
  // Node does not emit "close" for a child whose channel was closed from this side.
  const exited = once(child, "exit");
  child.disconnect();
  expect(await exited).toEqual([0, null]);
});

test("refuses to start where its schema is incompatible, with the registry's words", async () => {
  const env = await createEvents("incompatible");
  const fields = [{ name: "clicks", type: "string" }];
  const schema = JSON.stringify({ type: "record", name: "AdEvent", namespace: "adstream", fields });
  await post(`/subjects/${valueSubject("incompatible")}/versions`, { schema });
  const { code, output } = start(["--count=1"], env);
  expect(await code).toBe(78);
  expect(output.err).toMatch(
    /^adstream producer: the schema registry refuses the schema of incompatible-value: .*incompatible with an earlier schema.*\n$/,
  );
  expect(await recordsIn("incompatible")).toEqual([0, 0, 0]);
});

test("says which topic is missing and what makes it", async () => {
  const { code, output } = start(["--count=1"], { EVENTS_TOPIC: "absent" });
  expect(await code).toBe(78);
  expect(output.err).toMatch(/^adstream producer: .*absent.*pnpm topics create.*\n$/);
});

test.each([
  ["KAFKA_BROKERS", nowhere],
  ["SCHEMA_REGISTRY_URL", `http://me:c4n4ry@${nowhere}`],
])(
  "waits for the server of %s, naming both, and can be stopped meanwhile",
  async (variable, value) => {
    const env = await createEvents(`waiting-${variable.toLowerCase()}`);
    const { child, code, output } = start(["--count=1"], { ...env, [variable]: value });
    await eventually(() => output.out.includes('"level":40'));
    child.kill("SIGTERM");
    expect([await code, output.err]).toEqual([0, ""]);
    const warning = output.out.split("\n").find((line) => line.includes('"level":40'));
    expect(warning).toContain(variable);
    expect(warning).toContain(nowhere);
    expect(output.out).not.toMatch(/c4n4ry|"stack"/);
  },
);

test("mistakes of flags and environment are listed together and end with 64", async () => {
  const { code, output } = start(["--rate=fast"], {
    HTTP_PORT: "x",
    KAFKA_SASL_PASSWORD: "c4n4ry",
  });
  expect(await code).toBe(64);
  expect(output.err.split("\n")).toEqual([
    "adstream producer: 3 settings are wrong",
    '  HTTP_PORT is "x": must be a whole number from 0 to 65535',
    '  --rate is "fast": must be a number from 0.001 to 1000000',
    "  KAFKA_SASL_PASSWORD is set: KAFKA_SECURITY_PROTOCOL must be SASL_SSL for it to be used",
    "",
  ]);
  expect(output.out).toBe("");
});

test("its metrics tell what it sent", async () => {
  const env = await createEvents("measured");
  const { child, code, messages } = start(["--rate=2000", "--bad-ratio=1"], env);
  await eventually(() => messages.some((message) => Number(message["produced"]) > 0));
  const url = messages.find((message) => typeof message["url"] === "string")?.["url"];
  const text = await (await fetch(`${String(url)}/metrics`)).text();
  expect(
    Number(/adstream_produced_events_total\{kind="bad"\} (\d+)/.exec(text)?.[1]),
  ).toBeGreaterThan(0);
  expect(text).toContain('adstream_produced_events_total{kind="event"} 0');
  child.kill("SIGTERM");
  expect(await code).toBe(0);
});
