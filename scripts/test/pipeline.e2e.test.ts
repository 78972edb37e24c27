import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { checkDocuments, checkLines, passed } from "../dev/check.ts";
import { startPipeline } from "../dev/pipeline.ts";
import { openServers } from "../dev/servers.ts";
import { createTestTopics } from "./test-topics.ts";

const events = 100_000;

/**
 * Traffic of every kind; bad records stay below the share at which the breaker stops everything. The first one with an
 * unknown schema id holds its partition up for 30 s, until that is a decision: the traffic has to last for longer.
 */
const traffic = [
  `--count=${events}`,
  "--rate=2500",
  "--ads=200",
  "--seed=7",
  "--repeat-ratio=0.5",
  "--out-of-order-ratio=0.1",
  "--late-ratio=0.01",
  "--bad-ratio=0.004",
];

test(
  "after SIGKILL of a processor and of the sink every document equals the recount",
  { timeout: 240_000 },
  async () => {
    await using directory = await temporaryDirectory();
    const said: string[] = [];
    const gaveUp: string[] = [];
    const child = {
      logDirectory: directory.path,
      say: (line: string) => said.push(line),
      onGiveUp: (code: number, words: string) => gaveUp.push(`${code}: ${words}`),
    };
    await using servers = await openServers(
      process.env["REAL_SERVERS"] === "1" ? "any" : "embedded",
      child,
    );
    const environment = {
      ...(await createTestTopics({ ...process.env, ...servers.environment })),
      ...servers.environment,
      CHECKPOINT_URL: `file:${join(directory.path, "checkpoints")}`,
      CHECKPOINT_INTERVAL: "1s",
      HTTP_PORT: "0",
    };
    const pipeline = startPipeline({ ...child, environment, processors: 2, traffic });
    try {
      await readSome(pipeline.figures, events * 0.005);
      kill(pipeline.pid("processor-1"));
      await readSome(pipeline.figures, events * 0.5);
      kill(pipeline.pid("sink"));
      await readSome(pipeline.figures, events * 0.9);
      kill(pipeline.pid("processor-2"));
      await pipeline.produced;
      expect(await pipeline.drain()).toEqual([]);
    } finally {
      await pipeline.stop();
    }
    expect(gaveUp).toEqual([]);
    expect(said.filter((line) => line.includes("was ended by SIGKILL"))).toHaveLength(3);

    const env = { ...process.env, ...environment };
    const check = await checkDocuments(env);
    expect(passed(check), checkLines(check).join("\n")).toBe(true);
    const { counted, late, dead } = check.records;
    expect(counted + late + dead).toBeGreaterThanOrEqual(events);
    expect(Math.min(counted, late, dead)).toBeGreaterThan(100);
    expect(check.letters).toEqual({ dead, late });
  },
);

async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "adstream-e2e-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function readSome(
  figures: ReturnType<typeof startPipeline>["figures"],
  records: number,
): Promise<void> {
  for (let look = 0; look < 600; look++) {
    if (figures.status(performance.now()).in >= records) return;
    await sleep(100);
  }
  throw new Error(`the processors did not read ${records} records within a minute`);
}

function kill(pid: number | undefined): void {
  if (pid === undefined) throw new Error("the process to kill is not running");
  process.kill(pid, "SIGKILL");
}
