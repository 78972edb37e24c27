import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Long, MongoClient } from "mongodb";
import { expect, test } from "vitest";
import { checkDocuments, checkLines, passed } from "../dev/check.ts";
import { startPipeline } from "../dev/pipeline.ts";
import { openServers } from "../dev/servers.ts";
import { createTestTopics } from "./test-topics.ts";

const root = join(import.meta.dirname, "../..");

test("pnpm dev --job campaign-counts runs that job from the producer to the final check", async () => {
  const args = ["--job=campaign-counts", "--embedded", "--duration=20s", "--rate=300"];
  const dev = spawn(process.execPath, ["scripts/dev.ts", ...args], {
    cwd: root,
    env: { PATH: process.env["PATH"] },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const code = new Promise((resolve) => dev.once("close", resolve));
  const [said, complaints] = await Promise.all([text(dev.stdout), text(dev.stderr)]);
  expect([await code, complaints], said).toEqual([0, ""]);
  const [, events = "", counted] =
    /(\d+) events in = (\d+) counted \+ 0 late \+ 0 dead-lettered\nall equal\n$/.exec(said) ?? [];
  expect(counted).toBe(events);
  expect(Number(events)).toBeGreaterThan(0);
  // Half of the events of ad-stats are repeats.
  expect(said).toContain("  repeats 0 %  ");
  expect(said).not.toMatch(/repeats [1-9]/);
});

test("a count that is off by one is found in documents made of Avro", async () => {
  await using directory = await temporaryDirectory();
  const gaveUp: string[] = [];
  const child = {
    logDirectory: directory.path,
    say: () => {},
    onGiveUp: (ended: number, words: string) => gaveUp.push(`${ended}: ${words}`),
  };
  await using servers = await openServers("embedded", child);
  const job = { JOB: "campaign-counts", EVENTS_FORMAT: "avro" };
  const names = await createTestTopics({ ...process.env, ...servers.environment, ...job });
  const environment = {
    ...servers.environment,
    ...names,
    ...job,
    CHECKPOINT_URL: `file:${join(directory.path, "checkpoints")}`,
    HTTP_PORT: "0",
  };
  const traffic = ["--count=3000", "--rate=1000"];
  const pipeline = startPipeline({ ...child, environment, processors: 2, traffic });
  try {
    await pipeline.produced;
    expect(await pipeline.drain()).toEqual([]);
  } finally {
    await pipeline.stop();
  }
  expect(gaveUp).toEqual([]);
  const check = await checkDocuments(environment);
  expect(passed(check), checkLines(check).join("\n")).toBe(true);
  expect(check.records).toEqual({ counted: 3_000, late: 0, dead: 0, duplicate: 0 });

  await using client = new MongoClient(servers.environment["MONGODB_URL"] ?? "");
  const documents = client.db(names.MONGODB_DATABASE).collection("campaign_counts");
  const one: unknown = await documents.findOne({ clicks: { $gt: 0 } });
  const { _id, clicks } = { _id: "", clicks: 0, ...Object(one) };
  for (const by of [1, -1]) {
    await documents.updateOne({ _id }, { $inc: { clicks: Long.fromNumber(by) } });
    const wrong = await checkDocuments(environment);
    expect(wrong.windows).toMatchObject({ different: 1, equal: check.windows.equal - 1 });
    const problem = `clicks: expected ${clicks}, found ${Number(clicks) + by}`;
    expect(wrong.windows.differences[0]?.problems).toEqual([problem]);
    expect(passed(wrong)).toBe(false);
    await documents.updateOne({ _id }, { $inc: { clicks: Long.fromNumber(-by) } });
  }
});

async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "adstream-dev-jobs-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
