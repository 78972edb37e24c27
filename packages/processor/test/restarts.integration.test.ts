import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { documentsOf } from "./fixture/ad-events.ts";
import { noon, processOnce, recordsOf, someEvents } from "./fixture/event-records.ts";
import { serversOfFile } from "./fixture/file-servers.ts";
import { openScenario, type Scenario } from "./fixture/scenario.ts";
import { readCheckpoints } from "./fixture/stored-checkpoints.ts";
import { documentsIn, newestResults, resultsOf } from "./fixture/stored-results.ts";
import { until } from "./fixture/until.ts";

const servers = serversOfFile();
const produceKey = 0;

/** Numbers and kinds of the objects in the store, newest first; "unreadable" for broken ones. */
async function storedObjects({ checkpoints }: Scenario): Promise<[name: string, kind: string][]> {
  const stored: [name: string, kind: string][] = [];
  for await (const { name, header } of readCheckpoints(checkpoints)) {
    stored.push([name, header?.kind ?? "unreadable"]);
  }
  return stored;
}

describe.concurrent("a processor that is started again", () => {
  test("after SIGTERM under load reads nothing twice and publishes nothing twice", async ({
    expect,
  }) => {
    await using scenario = await openScenario(servers);
    const events = someEvents(40_000);
    const records = recordsOf(scenario, events);
    const enough = new AbortController();
    let sent = 0;
    const produce = async (): Promise<void> => {
      for (; !enough.signal.aborted && sent < records.length; sent += 500) {
        await scenario.send(records.slice(sent, sent + 500));
      }
    };
    // Without checkpoints in between, so that everything depends on the last one.
    const first = scenario.start({ CHECKPOINT_INTERVAL: "1h" });
    await first.logged("task acquired");
    const produced = produce();
    await until("results under load", async () => (await scenario.read("results")).length > 0);
    const stoppingAt = performance.now();
    expect(await first.stop()).toBe(0);
    expect(performance.now() - stoppingAt).toBeLessThan(10_000);
    expect(first.lastWords()).toBe("");
    const stoppedAt = await scenario.committed();
    expect(stoppedAt).toBeGreaterThan(0);
    // What is published is what the last checkpoint holds: nothing behind it has to be said again.
    const prefix = documentsOf(events.slice(0, stoppedAt));
    expect(documentsIn(await scenario.read("results"))).toEqual(prefix);
    enough.abort();
    await produced;
    const second = scenario.start();
    expect(await second.logged("task acquired")).toMatchObject({
      nextOffset: String(stoppedAt),
      jobEpoch: 0,
      unreadable: 0,
    });
    await scenario.caughtUp();
    const stored = await scenario.read("results");
    expect(documentsIn(stored)).toEqual(documentsOf(events.slice(0, sent)));
    const versions = resultsOf(stored).map(
      ({ ad_id, window_start, version }) => `${ad_id} ${window_start} ${version}`,
    );
    expect(new Set(versions).size).toBe(versions.length);
    expect(await second.stop()).toBe(0);
  });

  test("with a broken newest checkpoint goes on from the one before, under a higher epoch", async ({
    expect,
  }) => {
    await using scenario = await openScenario(servers);
    const events = someEvents(300);
    await processOnce(scenario, events.slice(0, 100));
    // Killed, so that its last checkpoint is the only one at that offset.
    const killed = scenario.start();
    await scenario.send(recordsOf(scenario, events.slice(100, 200)));
    await scenario.caughtUp();
    await killed.kill();
    const [newest = ""] = (await storedObjects(scenario))[0] ?? [];
    const file = join(scenario.checkpoints, newest);
    const bytes = await readFile(file);
    bytes[bytes.length >> 1] = 1 + (bytes[bytes.length >> 1] ?? 0);
    await writeFile(file, bytes);
    const broken = await storedObjects(scenario);
    expect(broken[0]).toEqual([newest, "unreadable"]);
    const processor = scenario.start({ IDLE_TIMEOUT: "2s" });
    const acquired = await processor.logged("task acquired");
    expect(acquired).toMatchObject({ unreadable: 1 });
    const epoch = BigInt(Number(acquired["jobEpoch"]));
    expect(epoch).toBeGreaterThan(0n);
    expect(Number(acquired["nextOffset"])).toBeLessThan(200);
    await scenario.send(recordsOf(scenario, events.slice(200)));
    await scenario.caughtUp();
    const results = await scenario.read("results");
    expect(documentsIn(results)).toEqual(documentsOf(events));
    expect(newestResults(results).map(({ version }) => version >> 48n)).toEqual(
      newestResults(results).map(() => epoch),
    );
    expect(await processor.stop()).toBe(0);
  });

  test("after SIGKILL between the decision that closes windows and its results publishes them", async ({
    expect,
  }) => {
    await using scenario = await openScenario(servers);
    const { kafka } = servers.devstack;
    const events = someEvents(20);
    // Two minutes after their windows, as the log tells the time.
    const records = recordsOf(scenario, events).map((record) => ({
      ...record,
      recordTime: noon + 180_000,
    }));
    // Long enough for the fault to be there first.
    const first = scenario.start({ IDLE_TIMEOUT: "5s" });
    await scenario.send(records);
    await scenario.caughtUp();
    kafka.faults.add({
      apiKey: produceKey,
      topic: scenario.topics.results,
      count: Infinity,
      action: "close-before",
    });
    const decided = await first.logged("windows of a quiet partition closed");
    await first.kill();
    kafka.faults.clear();
    expect(decided).toMatchObject({ watermark: "2026-01-31T12:01:00.000Z", nextOffset: "20" });
    const before = newestResults(await scenario.read("results"));
    expect(new Set(before.map(({ status }) => status))).toEqual(new Set(["early"]));
    // It decides nothing itself.
    const second = scenario.start({ IDLE_TIMEOUT: "0s" });
    await until("the final results", async () => {
      const results = newestResults(await scenario.read("results"));
      return results.every(({ status }) => status === "final");
    });
    expect(documentsIn(await scenario.read("results"))).toEqual(documentsOf(events));
    expect(await second.stop()).toBe(0);
  });

  test("closes the last windows of a partition that stays quiet, without a new record", async ({
    expect,
  }) => {
    await using scenario = await openScenario(servers);
    const events = someEvents(20);
    const processor = scenario.start({ IDLE_TIMEOUT: "1s" });
    await scenario.send(
      recordsOf(scenario, events).map((record) => ({ ...record, recordTime: noon + 180_000 })),
    );
    await until("the final results", async () => {
      const results = newestResults(await scenario.read("results"));
      return results.length > 0 && results.every(({ status }) => status === "final");
    });
    expect(documentsIn(await scenario.read("results"))).toEqual(documentsOf(events));
    // An event of a window that the decision closed is late, although the log alone would take it.
    await scenario.send(recordsOf(scenario, events.slice(0, 1)));
    await scenario.caughtUp();
    expect(await scenario.read("late")).toHaveLength(1);
    expect(await processor.stop()).toBe(0);
  });
});

type Refusal = {
  /** What happens to the 100 processed records, and to another 20 behind them. */
  readonly change: (scenario: Scenario) => Promise<void>;
  readonly env?: Readonly<Record<string, string>>;
  readonly words: RegExp;
};

const refusals: [what: string, Refusal][] = [
  [
    "a topic that was made again and is shorter",
    {
      async change(scenario) {
        await scenario.recreateEvents();
        await scenario.send(recordsOf(scenario, someEvents(5)));
      },
      words:
        /events-\w+ partition 0: the checkpoint is at offset 100, the log ends at 5: the topic was deleted and made again; start another PROCESSOR_GROUP/,
    },
  ],
  [
    "a topic that was made again and is as long",
    {
      async change(scenario) {
        await scenario.recreateEvents();
        await scenario.send(recordsOf(scenario, someEvents(130, 1_000)));
      },
      words:
        /events-\w+ partition 0: the record at offset 99 is not the one the checkpoint was made from: the topic was made again; start another PROCESSOR_GROUP/,
    },
  ],
  [
    "windows of another size",
    {
      change: async () => {},
      env: { WINDOW_SIZE: "2m" },
      words:
        /checkpoint \d+ of partition 0 was made with other settings of group-\w+\/ad-stats .*; set them back, or start another PROCESSOR_GROUP/,
    },
  ],
  [
    "records that retention removed unprocessed",
    {
      async change(scenario) {
        await scenario.send(recordsOf(scenario, someEvents(20, 100)));
        await scenario.deleteRecords(107);
      },
      words:
        /events-\w+ partition 0: 7 records were removed by retention before they were processed \(offsets 100 to 106\)/,
    },
  ],
  [
    "a checkpoint directory that is gone",
    {
      async change(scenario) {
        await scenario.deleteRecords(10);
        await rm(scenario.checkpoints, { recursive: true });
      },
      words:
        /events-\w+ partition 0: the group committed offset 100 but CHECKPOINT_URL holds no checkpoint/,
    },
  ],
  [
    "checkpoints of which none can be read",
    {
      async change({ checkpoints }) {
        for (const name of await readdir(checkpoints))
          await writeFile(join(checkpoints, name), "x");
      },
      words: /events-\w+ partition 0: none of its checkpoints can be read; look at CHECKPOINT_URL/,
    },
  ],
];

describe.concurrent("a processor ends with 78 and says what an operator must decide", () => {
  test.each(refusals)("%s", async (_what, { change, env, words }) => {
    await using scenario = await openScenario(servers);
    await processOnce(scenario, someEvents(100));
    const before = await scenario.read("results");
    await change(scenario);
    const processor = scenario.start(env);
    expect(await processor.ended).toBe(78);
    expect(processor.lastWords()).toMatch(words);
    expect(processor.lastWords().trimEnd().split("\n")).toHaveLength(1);
    expect(await scenario.read("results")).toEqual(before);
  });
});
