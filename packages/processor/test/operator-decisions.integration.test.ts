import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deadLetterHeaders } from "@adstream/contracts/dead-letter";
import { describe, expect, test } from "vitest";
import { documentsOf, type TestEvent } from "./fixture/ad-events.ts";
import { noon, processOnce, recordsOf, someEvents } from "./fixture/event-records.ts";
import { serversOfFile } from "./fixture/file-servers.ts";
import { openScenario, type Scenario, type TestRecord } from "./fixture/scenario.ts";
import { documentsIn, newestResults } from "./fixture/stored-results.ts";
import { until } from "./fixture/until.ts";

const servers = serversOfFile();

async function auditOf(scenario: Scenario): Promise<Record<string, unknown>[]> {
  const records = await scenario.read("audit");
  return records.map(({ value }) => JSON.parse(String(value)));
}

type Acceptance = {
  /** The log and the store after 100 records were processed; 20 more are in the log then. */
  readonly change: (scenario: Scenario) => Promise<void>;
  readonly flag: string;
  /** The events whose documents the results must show in the end. */
  readonly counted: readonly TestEvent[];
  readonly audit: Readonly<Record<string, unknown>>;
};

// All in one minute, so that their windows stay open.
const first = someEvents(100);
const more = someEvents(20, 100);
const others = someEvents(20, 1_000);

/** Above what was published before; by how much is told by the numbers of the claims in between. */
const higher: unknown = expect.toSatisfy((epoch: unknown) => Number(epoch) > 0);

const acceptances: [string, Acceptance][] = [
  [
    "a gap: what was counted stays, what is gone is named",
    {
      async change(scenario) {
        await scenario.send(recordsOf(scenario, more));
        await scenario.deleteRecords(107);
      },
      flag: "accept-gap",
      counted: [...first, ...more.slice(7)],
      audit: { from: 100, to: 106, count: 7, next_offset: 107, job_epoch: higher },
    },
  ],
  [
    "another log that is shorter: only its records count",
    {
      async change(scenario) {
        await scenario.recreateEvents();
        await scenario.send(recordsOf(scenario, others));
      },
      flag: "accept-new-log",
      counted: others,
      audit: { from: null, count: null, next_offset: 0, job_epoch: higher },
    },
  ],
  [
    "another log that is longer, which only the record at the checkpoint shows",
    {
      async change(scenario) {
        await scenario.recreateEvents();
        await scenario.send(recordsOf(scenario, someEvents(130, 1_000)));
      },
      flag: "accept-new-log",
      counted: someEvents(130, 1_000),
      audit: { next_offset: 0, job_epoch: higher },
    },
  ],
  [
    "lost checkpoints: what the log still holds is counted again, above what was published",
    {
      async change(scenario) {
        await scenario.send(recordsOf(scenario, more));
        await scenario.deleteRecords(10);
        await rm(scenario.checkpoints, { recursive: true });
      },
      flag: "from-beginning",
      counted: [...first.slice(10), ...more],
      audit: { from: 0, to: 9, count: 10, next_offset: 10, job_epoch: higher },
    },
  ],
  [
    "checkpoints of which none can be read",
    {
      async change(scenario) {
        await scenario.send(recordsOf(scenario, more));
        for (const name of await readdir(scenario.checkpoints))
          await writeFile(join(scenario.checkpoints, name), "x");
      },
      flag: "from-beginning",
      counted: [...first, ...more],
      audit: { from: null, next_offset: 0, job_epoch: higher },
    },
  ],
];

describe.concurrent("an operator accepts", () => {
  test.each(acceptances)("%s", async (_what, acceptance) => {
    const { change, flag, counted, audit } = acceptance;
    await using scenario = await openScenario(servers);
    await processOnce(scenario, first);
    await change(scenario);
    const halted = scenario.start();
    expect(await halted.ended).toBe(78);
    expect(halted.lastWords().trimEnd()).toMatch(new RegExp(`; to .*, start once with --${flag}$`));
    // What the claim of the halted one might have published is waited for; so briefly here.
    const processor = scenario.start({ IDLE_TIMEOUT: "1s" }, [`--${flag}`]);
    await scenario.caughtUp();
    expect(await processor.stop()).toBe(0);
    const documents = documentsIn(await scenario.read("results"));
    const wanted = documentsOf(counted);
    expect(new Map([...documents].filter(([id]) => wanted.has(id)))).toEqual(wanted);
    expect(await auditOf(scenario)).toEqual([
      expect.objectContaining({ ...audit, decision: flag }),
    ]);
    // Nothing of it is left to be allowed: the flag may be gone, or still be there.
    const later = scenario.start();
    await later.logged("task acquired");
    expect(await later.stop()).toBe(0);
  });
});

describe.concurrent("dead letters that are too many", () => {
  test("become dead letters where an operator accepts those in the log, and stop it again later", async ({
    expect,
  }) => {
    await using scenario = await openScenario(servers);
    const bad: TestRecord = { value: Buffer.of(7, 7, 7, 7, 7), recordTime: noon };
    const events = someEvents(700);
    const records = recordsOf(scenario, events);
    const mixed = Array.from({ length: 1_000 }, (_, at) => {
      const good = at % 10 < 7 ? records[Math.floor(at / 10) * 7 + (at % 10)] : undefined;
      return good ?? bad;
    });
    const first = scenario.start();
    await first.logged("task acquired");
    await scenario.send(mixed);
    expect(await first.ended).toBe(65);
    const again = scenario.start();
    expect(await again.ended).toBe(65);
    expect(again.lastWords()).toMatch(
      /offset 337 because of .*; to .*, start once with --accept-dead-letters\n$/,
    );
    const processor = scenario.start({}, ["--accept-dead-letters"]);
    await scenario.caughtUp();
    const origins = (await scenario.read("deadLetters")).map(({ headers }) =>
      Number(headers[deadLetterHeaders.offset]),
    );
    const wanted = mixed.flatMap((record, offset) => (record === bad ? [offset] : []));
    expect([...new Set(origins)].toSorted((a, b) => a - b)).toEqual(wanted);
    expect(documentsIn(await scenario.read("results"))).toEqual(documentsOf(events));
    const decision = { decision: "accept-dead-letters", to: 999, count: null, job_epoch: 0 };
    expect(await auditOf(scenario)).toEqual([expect.objectContaining(decision)]);
    await scenario.send(Array.from({ length: 150 }, () => bad));
    expect(await processor.ended).toBe(65);
    expect(processor.lastWords()).toContain(" offset 1099 because of ");
    expect(documentsIn(await scenario.read("results"))).toEqual(documentsOf(events));
  });
});

describe.concurrent("a processor with other settings", () => {
  test("is refused by name, and with --from-beginning computes everything again", async ({
    expect,
  }) => {
    await using scenario = await openScenario(servers);
    await processOnce(scenario, first);
    const env = { WINDOW_SLIDE: "1m" };
    const halted = scenario.start(env);
    expect(await halted.ended).toBe(78);
    expect(halted.lastWords()).toMatch(
      / \(WINDOW_SLIDE was 30s and is 1m\); set them back, or start another PROCESSOR_GROUP; to .* --from-beginning\n$/,
    );
    const processor = scenario.start(env, ["--from-beginning"]);
    const acquired = await processor.logged("task acquired");
    expect(acquired).toMatchObject({ nextOffset: "0", jobEpoch: higher });
    await scenario.caughtUp();
    expect(await processor.stop()).toBe(0);
    const newest = newestResults(await scenario.read("results"));
    const again = newest.filter(({ version }) => version >> 48n > 0n);
    expect(new Set(again.map(({ window_start }) => window_start))).toEqual(new Set([noon]));
    expect(again.reduce((sum, { count }) => sum + count, 0)).toBe(first.length);
  });

  test("that a state can go on with outranks what was published behind it before a kill", async ({
    expect,
  }) => {
    await using scenario = await openScenario(servers);
    const killed = scenario.start({ CHECKPOINT_INTERVAL: "1h" });
    await scenario.send(recordsOf(scenario, first));
    await until("results", async () => (await scenario.read("results")).length >= 14);
    await killed.kill();
    const processor = scenario.start({ WATERMARK_DELAY: "20s", IDLE_TIMEOUT: "1s" });
    const superseded = await processor.logged("results of the code before superseded");
    // No record is behind the checkpoint of the start: all of them are taken back, then counted again.
    expect(superseded).toMatchObject({ jobEpoch: higher, standing: 0, emptied: 14 });
    await scenario.caughtUp();
    expect(await processor.stop()).toBe(0);
    const results = await scenario.read("results");
    expect(documentsIn(results)).toEqual(documentsOf(first));
    expect(newestResults(results).every(({ version }) => version >> 48n > 0n)).toBe(true);
  });
});
