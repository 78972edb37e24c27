import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { type Devstack, startDevstack } from "@adstream/devstack/start-devstack";
import { type Admin, Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";

const program = join(import.meta.dirname, "../src/main.ts");
const resources = new AsyncDisposableStack();
let devstack: Devstack;
let admin: Admin;

beforeAll(async () => {
  devstack = resources.adopt(await startDevstack(), (stack) => stack.close());
  const kafka = new Kafka({ brokers: [devstack.kafka.brokers], logLevel: logLevel.NOTHING });
  admin = resources.adopt(kafka.admin(), (client) => client.disconnect());
  await admin.connect();
});

afterAll(() => resources.disposeAsync());

/** Topics of studies of a model. */
async function topicsOf(model: string): Promise<string[]> {
  const topics = await admin.listTopics();
  return topics.filter((topic) => topic.startsWith(`study-${model}-`)).toSorted();
}

/** Topics and subjects of the registry. */
async function leftBehind(model: string): Promise<string[]> {
  const answer = await fetch(`${devstack.schemaRegistry.url}/subjects`);
  const subjects: string[] = JSON.parse(await answer.text());
  return [...(await topicsOf(model)), ...subjects.filter((one) => one.includes(`-${model}-`))];
}

type Ended = { readonly code: unknown; readonly out: string; readonly err: string };

/** `pnpm bench study …`, on servers that live on. */
function startStudy(...args: string[]): { stop(): void; readonly ended: Promise<Ended> } {
  const child = spawn(process.execPath, [program, "study", ...args], {
    env: { PATH: process.env["PATH"], ...devstack.environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  resources.defer(() => void child.kill("SIGKILL"));
  const code = new Promise((resolve) => child.once("close", resolve));
  const ended = Promise.all([code, text(child.stdout), text(child.stderr)]);
  return {
    stop: () => void child.kill("SIGINT"),
    ended: ended.then(([exitCode, out, err]) => ({ code: exitCode, out, err })),
  };
}

/** For the end of a window of 10 s, and for the second that it waits for stragglers. */
const duration = "--duration=12s";

/** One producer alone: of two, the one that a busy machine holds up may be late for windows that the other one closed. */
test.concurrent.each([
  ["uniform", "json"],
  ["mmpp", "avro"],
])(
  "a study of %s traffic in %s counts every event, tells how late, and cleans up",
  async (...given) => {
    const [model, format] = given;
    const args = [
      `--model=${model}`,
      `--format=${format}`,
      "--rate=300",
      "--producers=1",
      duration,
      "--json",
    ];
    const { code, out, err } = await startStudy(...args).ended;
    expect(code, err).toBe(0);
    const {
      raw: [run],
    } = JSON.parse(out);
    expect(run).toMatchObject({ model, late: 0, deadLetters: 0 });
    // About 300 x 12, or less where bursts are few.
    expect(run.acknowledged).toBeGreaterThan(1_000);
    expect([run.inLog, run.counted]).toEqual([run.acknowledged, run.acknowledged]);
    expect(run.rows).toEqual({ right: run.rows.right, wrong: 0, missing: 0, extra: 0 });
    expect(run.rows.right).toBeGreaterThan(0);
    const closed = run.windows.filter((one: { closedBy: string }) => one.closedBy === "events");
    expect(closed.length).toBeGreaterThan(0);
    for (const { lastResultMs, completeMs } of closed) {
      expect(lastResultMs).toBeGreaterThan(0);
      expect(lastResultMs).toBeGreaterThanOrEqual(completeMs);
    }
    expect(err).toContain(`0 of ${run.acknowledged} events lost, 0 late\n`);
    expect(run.processor.cpuMs).toBeGreaterThan(0);
    expect(await leftBehind(model)).toEqual([]);
  },
);

test.concurrent("a study that is stopped ends its processes and takes its topics away", async () => {
  const study = startStudy("--model=poisson", "--rate=150", "--duration=10m");
  await eventsFlow("poisson");
  study.stop();
  const { code, err } = await study.ended;
  expect([code, err]).toEqual([1, "poisson: 600 s\nstopped; the topics are removed\n"]);
  expect(await leftBehind("poisson")).toEqual([]);
});

/** Waits until there are some on the topic of a study. */
async function eventsFlow(model: string): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (performance.now() < endMs) {
    const topic = (await topicsOf(model)).find((name) => name.endsWith("-events"));
    const offsets = topic === undefined ? [] : await admin.fetchTopicOffsets(topic);
    if (offsets.some(({ high }) => Number(high) > 0)) return;
    await sleep(100);
  }
  throw new Error("no events came");
}
