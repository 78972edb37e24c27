import { expect, test } from "vitest";

import { configFrom } from "../src/config.ts";
import { optionsFrom } from "../src/recount.ts";

test("what is read and by which rules is that of the job, unless it is said", () => {
  const ofJob = {
    EVENTS_TOPIC: "events",
    EVENTS_FORMAT: "json",
    MONGODB_COLLECTION: "campaign_counts",
    WINDOW_SIZE: 10_000,
    WINDOW_SLIDE: 10_000,
  };
  expect(configFrom({}).JOB).toBe("ad-stats");
  expect(configFrom({ JOB: "campaign-counts" })).toMatchObject(ofJob);
  const given = { JOB: "campaign-counts", EVENTS_FORMAT: "avro", WINDOW_SIZE: "20s" };
  expect(configFrom(given)).toMatchObject({
    ...ofJob,
    EVENTS_FORMAT: "avro",
    WINDOW_SIZE: 20_000,
  });
});

test("the recount in memory takes the same rules from the same variables", () => {
  for (const env of [{}, { JOB: "campaign-counts" }, { JOB: "ad-stats", EVENTS_FORMAT: "json" }]) {
    const config = configFrom(env);
    expect(optionsFrom(env)).toMatchObject({
      topic: config.EVENTS_TOPIC,
      format: config.EVENTS_FORMAT,
      windowSizeMs: config.WINDOW_SIZE,
      windowSlideMs: config.WINDOW_SLIDE,
    });
  }
});

test("a job that nobody knows, and ids of events that have none, are mistakes", () => {
  expect(() => configFrom({ JOB: "counts" })).toThrow(/JOB is "counts": must be one of/);
  expect(() => configFrom({ JOB: "campaign-counts", DEDUPLICATE: "event_id" })).toThrow(
    /DEDUPLICATE .*must be off: the events of this JOB have no id/,
  );
});
