import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { adEvent, documentsOf, eventValue, type TestEvent } from "./fixture/ad-events.ts";
import type { RunningProcessor } from "./fixture/running-processor.ts";
import { openScenario, startServers, type TestRecord } from "./fixture/scenario.ts";
import { documentsIn, newestResults } from "./fixture/stored-results.ts";
import { until } from "./fixture/until.ts";

const noon = Date.UTC(2026, 0, 31, 12);
const partitions = 4;
const perSend = 40;
/** Between sends; 2,000 events a second. */
const paceMs = 20;

/** Four minutes of events, disordered by up to 5 s: half of what the watermark waits for. */
function disorderedEvents(count: number): TestEvent[] {
  return Array.from({ length: count }, (_, index) => {
    const disorder = (index * 7_919) % 5_000;
    const time = Math.max(noon, noon + Math.floor((index * 240_000) / count) - disorder);
    return adEvent(time, { adId: `ad_${index % 50}`, clicks: index % 11, cost: (index % 64) / 8 });
  });
}

/** Partitions of the latest assignment. */
function assigned({ lines }: RunningProcessor): number {
  const latest = lines.findLast(({ msg }) => msg === "partitions assigned");
  return Array.isArray(latest?.["partitions"]) ? latest["partitions"].length : 0;
}

test("an owner that is frozen for longer than its session finds its tasks taken, and nothing counts twice", async () => {
  await using servers = await startServers();
  await using scenario = await openScenario(servers, { partitions });
  const events = disorderedEvents(12_000);
  const records = events.map((event, index): TestRecord => ({
    value: eventValue(scenario.schemaId, event),
    recordTime: Number(event.time) + 1,
    partition: index % partitions,
  }));
  let sent = 0;
  const sendFor = async (count: number): Promise<void> => {
    for (const end = sent + count; sent < end; sent += perSend) {
      await scenario.send(records.slice(sent, sent + perSend));
      await sleep(paceMs);
    }
  };
  const env = { KAFKA_SESSION_TIMEOUT: "1s", IDLE_TIMEOUT: "10s" };
  const [frozen, other] = [scenario.start(env), scenario.start(env)];
  const both = [frozen, other];
  await until("both to share", () => both.every((one) => assigned(one) === 2));
  await sendFor(2_000);
  frozen.child.kill("SIGSTOP");
  const sending = sendFor(5_000);
  await until("the other to take over", () => assigned(other) === partitions);
  await sending;
  frozen.child.kill("SIGCONT");
  await sendFor(5_000);
  await until("both to share again", () => both.every((one) => assigned(one) === 2));
  await scenario.caughtUp();
  await frozen.logged("task taken by another process");
  expect(await Promise.all(both.map((one) => one.stop()))).toEqual([0, 0]);
  const stored = await scenario.read("results");
  expect(documentsIn(stored)).toEqual(documentsOf(events));
  expect(new Set(newestResults(stored).map(({ status }) => status))).toEqual(
    new Set(["early", "final"]),
  );
  expect(await scenario.read("late")).toEqual([]);
  expect(await scenario.read("deadLetters")).toEqual([]);
});
