import { startGcs } from "@adstream/devstack/gcs/server";
import { expect, test } from "vitest";
import { adEvent, documentsOf, eventValue, type TestEvent } from "./fixture/ad-events.ts";
import type { RunningProcessor } from "./fixture/running-processor.ts";
import { openScenario, startServers, type TestRecord } from "./fixture/scenario.ts";
import { documentsIn } from "./fixture/stored-results.ts";
import { until } from "./fixture/until.ts";

const noon = Date.UTC(2026, 0, 31, 12);
const bucket = "test-bucket";

function someEvents(count: number): TestEvent[] {
  return Array.from({ length: count }, (_, index) =>
    adEvent(noon + index * 1_000, { adId: `ad_${index % 7}`, clicks: index % 5 }),
  );
}

/** Sum of a metric over its labels that match. */
async function metric(processor: RunningProcessor, name: RegExp): Promise<number> {
  const { url } = await processor.logged("service started");
  const text = await (await fetch(`${String(url)}/metrics`)).text();
  const lines = text.split("\n").filter((line) => name.test(line));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

test("while its bucket is down a processor goes on publishing, says so, and loses nothing when it is killed afterwards", async () => {
  await using servers = await startServers();
  await using gcs = await startGcs({ buckets: [bucket] });
  await using scenario = await openScenario(servers);
  const events = someEvents(300);
  const send = (from: number, to: number): Promise<void> =>
    scenario.send(
      events.slice(from, to).map((event): TestRecord => ({
        value: eventValue(scenario.schemaId, event),
        recordTime: Number(event.time),
      })),
    );
  const env = { CHECKPOINT_URL: `gs://${bucket}/prefix`, STORAGE_EMULATOR_HOST: gcs.url };
  const first = scenario.start(env);
  await send(0, 100);
  await scenario.caughtUp();
  expect(await metric(first, /^adstream_uncheckpointed_bytes\{/)).toBe(0);
  expect(await metric(first, /^adstream_uncheckpointed_seconds\{/)).toBe(0);

  gcs.faults.add({ action: { status: 503 }, count: Number.POSITIVE_INFINITY });
  await send(100, 200);
  await until("results of what no checkpoint holds", async () => {
    const documents = documentsIn(await scenario.read("results"));
    return JSON.stringify(documents) === JSON.stringify(documentsOf(events.slice(0, 200)));
  });
  expect(await scenario.committed()).toBe(100);
  const failed = await first.logged("checkpoint not saved (CHECKPOINT_URL)");
  expect(failed).toMatchObject({ partition: 0, outcome: "unknown" });
  expect(JSON.stringify(failed["err"])).toContain("HTTP 503");
  expect(await metric(first, /^adstream_checkpoint_failures_total /)).toBeGreaterThan(0);
  expect(await metric(first, /^adstream_uncheckpointed_bytes\{/)).toBeGreaterThan(1_000);
  expect(await metric(first, /^adstream_uncheckpointed_seconds\{/)).toBeGreaterThan(1);
  // Far from the limits.
  expect(await metric(first, /^adstream_intake_paused\{/)).toBe(0);

  gcs.faults.clear();
  await scenario.caughtUp();
  expect(await scenario.committed()).toBe(200);
  await first.kill();
  const second = scenario.start(env);
  await send(200, 300);
  await scenario.caughtUp();
  expect(documentsIn(await scenario.read("results"))).toEqual(documentsOf(events));
  expect(await second.stop()).toBe(0);
});

test.each([
  [
    "does not exist",
    { bucket: "no-such-bucket", status: undefined },
    /there is no bucket no-such-bucket/,
  ],
  ["is denied", { bucket, status: 403 }, /needs credentials with storage.objects.create/],
])("a bucket that %s ends the start with 64 and one line", async (_, place, text) => {
  await using servers = await startServers();
  await using gcs = await startGcs({ buckets: [bucket] });
  await using scenario = await openScenario(servers);
  if (place.status !== undefined) {
    gcs.faults.add({ action: { status: place.status }, count: Number.POSITIVE_INFINITY });
  }
  const env = { CHECKPOINT_URL: `gs://${place.bucket}`, STORAGE_EMULATOR_HOST: gcs.url };
  const processor = scenario.start(env);
  expect(await processor.ended).toBe(64);
  const words = processor.lastWords().trim();
  expect(words).toMatch(text);
  expect(words.split("\n")).toHaveLength(1);
});
