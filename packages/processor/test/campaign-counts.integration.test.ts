import {
  type AdInteraction,
  adInteractionSchema,
  adTypes,
  eventTypes,
} from "@adstream/contracts/ad-interaction";
import { type CampaignCounts, campaignCountsSchema } from "@adstream/contracts/campaign-counts";
import { deadLetterHeaders } from "@adstream/contracts/dead-letter";
import { valueSubject } from "@adstream/contracts/topics";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { openSchemaRegistry } from "@adstream/kafka/schema-registry";
import { frame, frameBytes } from "@adstream/kafka/wire-format";
import { openLog } from "@adstream/service/log";
import { afterAll, beforeAll, test } from "vitest";
import type { StoredRecord } from "./fixture/read-topic.ts";
import { openScenario, type Servers, startServers } from "./fixture/scenario.ts";

let servers: Servers;
beforeAll(async () => {
  servers = await startServers();
});
afterAll(() => servers[Symbol.asyncDispose]());

const noon = Date.UTC(2026, 0, 31, 12);
const window = 10_000;

function interactions(count: number): AdInteraction[] {
  return Array.from({ length: count }, (_, at) => ({
    user_id: `user ${at}`,
    page_id: "p\n",
    ad_id: `ad ${at % 50}`,
    ad_type: adTypes[at % adTypes.length] ?? "text",
    event_type: eventTypes[(at * at) % 3] ?? "view",
    event_time_ns: BigInt(noon + at * 20) * 1_000_000n + 999_999n,
    window_id: Math.floor((noon + at * 20) / window),
    ip_address: "10.0.0.1",
    campaign_id: `"campaign ${at % 5}"`,
    produce_time: noon + at * 20 + (at % 7),
  }));
}

/** JSON has the digits of the time, which no number of JavaScript holds. */
function json({ event_time_ns, ...rest }: AdInteraction): Buffer {
  return Buffer.from(`{"event_time_ns":${event_time_ns},${JSON.stringify(rest).slice(1)}`);
}

const { encode } = avroCodec(adInteractionSchema);
const { decode } = avroCodec(campaignCountsSchema, { bigintFields: ["version"] });

/** The scenario's own subject is that of another job's events. */
function registerInteractions(): Promise<number> {
  const log = openLog({ name: "test", level: "silent" });
  const registry = openSchemaRegistry({ url: servers.devstack.schemaRegistry.url, log });
  return registry.register(valueSubject("interactions"), adInteractionSchema);
}

type Counts = Pick<CampaignCounts, "count" | "views" | "clicks" | "purchases" | "max_produce_time">;

/** `<window start> <campaign>` -> what the events say, one by one. */
function recount(events: readonly AdInteraction[]): Map<string, Counts> {
  const counted = new Map<string, Counts>();
  for (const { event_time_ns, campaign_id, event_type, produce_time } of events) {
    const start = Math.floor(Number(event_time_ns / 1_000_000n) / window) * window;
    const key = `${start} ${campaign_id}`;
    const before = counted.get(key);
    counted.set(key, {
      count: (before?.count ?? 0) + 1,
      views: (before?.views ?? 0) + (event_type === "view" ? 1 : 0),
      clicks: (before?.clicks ?? 0) + (event_type === "click" ? 1 : 0),
      purchases: (before?.purchases ?? 0) + (event_type === "purchase" ? 1 : 0),
      max_produce_time: Math.max(before?.max_produce_time ?? 0, produce_time),
    });
  }
  return counted;
}

/** The newest result of each window and campaign; of one partition. */
function countsIn(records: readonly StoredRecord[]): Map<string, Counts> {
  const newest = new Map<string, CampaignCounts>();
  for (const { value } of records) {
    const result: CampaignCounts = Object(decode((value ?? Buffer.of()).subarray(frameBytes)));
    const key = `${result.window_start} ${result.campaign_id}`;
    if ((newest.get(key)?.version ?? 0n) <= result.version) newest.set(key, result);
  }
  return new Map(
    [...newest].map(([key, { count, views, clicks, purchases, max_produce_time }]) => [
      key,
      { count, views, clicks, purchases, max_produce_time },
    ]),
  );
}

test.concurrent.for(["json", "avro"])(
  "campaigns are counted from %s, through a kill and a restart",
  async (format, { expect }) => {
    await using scenario = await openScenario(servers);
    const schemaId = format === "avro" ? await registerInteractions() : 0;
    const write = (event: AdInteraction): Buffer =>
      format === "avro" ? frame(schemaId, encode(event)) : json(event);
    const env = { JOB: "campaign-counts", EVENTS_FORMAT: format };
    const events = interactions(3_000);
    const recordOf = (event: AdInteraction) => ({
      value: write(event),
      recordTime: event.produce_time,
    });
    const first = scenario.start(env);
    await scenario.send(events.slice(0, 1_500).map(recordOf));
    await scenario.caughtUp();
    await first.kill();
    const like = { ...events[0]!, event_type: "like" };
    const bad = format === "avro" ? frame(schemaId, encode(like)) : Buffer.from("{");
    await scenario.send([{ value: bad, recordTime: noon }]);
    await scenario.send(events.slice(1_500).map(recordOf));
    const second = scenario.start(env);
    await scenario.caughtUp();
    expect(await second.stop()).toBe(0);
    expect(countsIn(await scenario.read("results"))).toEqual(recount(events));
    const [letter, ...others] = await scenario.read("deadLetters");
    const reason = format === "avro" ? "value not among those declared" : "malformed JSON";
    expect(letter).toMatchObject({ value: bad });
    expect(String(letter?.headers?.[deadLetterHeaders.reason])).toBe(reason);
    expect(others).toEqual([]);
  },
);

test.concurrent("a job that is not known is a mistake in the configuration", async ({ expect }) => {
  await using scenario = await openScenario(servers);
  const processor = scenario.start({ JOB: "ad-counts" });
  expect(await processor.ended).toBe(64);
  expect(processor.lastWords()).toMatch(/JOB is "ad-counts": must be one of ad-stats, campaign/);
});
