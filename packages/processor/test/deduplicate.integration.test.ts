import { deadLetterHeaders } from "@adstream/contracts/dead-letter";
import type { CheckpointHeader } from "@adstream/engine/checkpoint";
import { describe, test } from "vitest";
import { adEvent, documentsOf, type TestEvent } from "./fixture/ad-events.ts";
import { noon, recordsOf } from "./fixture/event-records.ts";
import { serversOfFile } from "./fixture/file-servers.ts";
import type { RunningProcessor } from "./fixture/running-processor.ts";
import { openScenario, type Scenario } from "./fixture/scenario.ts";
import { readCheckpoints } from "./fixture/stored-checkpoints.ts";
import { documentsIn } from "./fixture/stored-results.ts";
import { until } from "./fixture/until.ts";

const servers = serversOfFile();
const deduplicate = { DEDUPLICATE: "event_id" };

/** A third as UUIDs, a third as text, a third without id: those are not told apart from others. */
function someEvents(count: number): TestEvent[] {
  return Array.from({ length: count }, (_, at) => {
    const eventIds = [`0190a0f0-7b1c-7cc3-9a3e-${String(at).padStart(12, "0")}`, `event ${at}`];
    const eventId = eventIds[at % 3];
    const event = adEvent(noon + at, { adId: `ad_${at % 7}`, clicks: at });
    return eventId === undefined ? event : { ...event, eventId };
  });
}

/** Each event and, behind every fourth, one of those up to 3,000 before it again. */
function withRedeliveries(events: readonly TestEvent[]): TestEvent[] {
  return events.flatMap((event, at) => {
    const again = events[Math.max(0, at - ((at * 7_919) % 3_000))];
    return at % 4 === 0 && again?.eventId !== undefined ? [event, again] : [event];
  });
}

async function newestCheckpoint({ checkpoints }: Scenario): Promise<CheckpointHeader> {
  for await (const { name, header } of readCheckpoints(checkpoints)) {
    if (header === undefined) throw new Error(`${name} cannot be read`);
    if (header.kind === "checkpoint") return header;
  }
  throw new Error("no checkpoint");
}

/** Samples of one metric, by what is between its braces. */
async function samples(processor: RunningProcessor, metric: string): Promise<Map<string, number>> {
  const { url } = await processor.logged("service started");
  const text = await (await fetch(`${String(url)}/metrics`)).text();
  const lines = text.matchAll(new RegExp(`^adstream_${metric}\\{(.*)\\} (.*)$`, "gm"));
  return new Map([...lines].map(([, labels = "", value]) => [labels, Number(value)]));
}

describe.concurrent("a processor that deduplicates", () => {
  test("counts every event once, over SIGKILL and restart in the middle", async ({ expect }) => {
    await using scenario = await openScenario(servers);
    const events = someEvents(24_000);
    const delivered = withRedeliveries(events);
    const records = recordsOf(scenario, delivered);
    const half = records.length >> 1;
    const first = scenario.start(deduplicate);
    await scenario.send(records.slice(0, half));
    await until("a checkpoint", async () => (await scenario.committed()) > 0);
    await first.kill();
    const killed = await newestCheckpoint(scenario);
    expect(killed.counts.duplicates).toBeGreaterThan(0);
    const second = scenario.start(deduplicate);
    await scenario.send(records.slice(half));
    await scenario.caughtUp();
    expect(documentsIn(await scenario.read("results"))).toEqual(documentsOf(events));
    const counts = {
      in: delivered.length,
      late: 0,
      dead: 0,
      duplicates: delivered.length - events.length,
    };
    expect((await newestCheckpoint(scenario)).counts).toEqual(counts);
    expect(await samples(second, "records_total")).toEqual(
      new Map([
        ['partition="0",outcome="counted"', events.length],
        ['partition="0",outcome="late"', 0],
        ['partition="0",outcome="dead"', 0],
        ['partition="0",outcome="duplicate"', counts.duplicates],
      ]),
    );
    const named = events.filter(({ eventId }) => eventId !== undefined).length;
    expect(await samples(second, "event_ids")).toEqual(new Map([['partition="0"', named]]));
    expect(await second.stop()).toBe(0);
  });

  test("makes dead letters of ids that are none, which others do not read at all", async ({
    expect,
  }) => {
    for (const env of [deduplicate, {}]) {
      await using scenario = await openScenario(servers);
      const events = ["", "x".repeat(257), Uint8Array.of(0xff)].map((eventId, at) =>
        adEvent(noon + at, { eventId }),
      );
      const processor = scenario.start(env);
      await scenario.send(recordsOf(scenario, events));
      await scenario.caughtUp();
      const dead = await scenario.read("deadLetters");
      const reasons = dead.map(({ headers }) => String(headers[deadLetterHeaders.reason]));
      const expected = [
        "event id empty or longer than 256 bytes",
        "event id empty or longer than 256 bytes",
        "event id not UTF-8",
      ];
      expect(reasons).toEqual(env === deduplicate ? expected : []);
      expect(await processor.stop()).toBe(0);
    }
  });

  test("stops with 78 when there are more ids than it may remember, and goes on with a higher bound", async ({
    expect,
  }) => {
    await using scenario = await openScenario(servers);
    const events = someEvents(3_000);
    await scenario.send(recordsOf(scenario, events));
    const first = scenario.start({ ...deduplicate, DEDUPLICATE_MAX_IDS: "1000" });
    expect(await first.ended).toBe(78);
    expect(first.lastWords()).toMatch(/partition 0: 1000 event ids within .* raise it/);
    const second = scenario.start(deduplicate);
    await scenario.caughtUp();
    expect(documentsIn(await scenario.read("results"))).toEqual(documentsOf(events));
    expect(await second.stop()).toBe(0);
  });

  test("does not go on from a checkpoint that was made without, nor the other way round", async ({
    expect,
  }) => {
    await using scenario = await openScenario(servers);
    await scenario.send(recordsOf(scenario, someEvents(10)));
    const first = scenario.start();
    await scenario.caughtUp();
    expect(await first.stop()).toBe(0);
    const second = scenario.start(deduplicate);
    expect(await second.ended).toBe(78);
    expect(second.lastWords()).toMatch(/DEDUPLICATE was off and is event_id|other settings/);
  });
});
