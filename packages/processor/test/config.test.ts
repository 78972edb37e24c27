import { jobDefaults } from "@adstream/contracts/jobs";
import { readEnvironment } from "@adstream/service/environment";
import { expect, test } from "vitest";
import { environment } from "../src/config.ts";

function read(env: Record<string, string>): ReturnType<typeof readEnvironment<typeof environment>> {
  return readEnvironment(environment, { env, file: null });
}

test("without any variable the defaults are those of the documentation", () => {
  expect(read({})).toMatchObject({
    PROCESSOR_GROUP: "adstream-processor",
    START_AT: "earliest",
    CHECKPOINT_URL: { kind: "file", directory: ".data/checkpoints" },
    CHECKPOINT_INTERVAL: 5_000,
    WINDOW_SIZE: 60_000,
    WINDOW_SLIDE: 30_000,
    WATERMARK_DELAY: 10_000,
    ALLOWED_LATENESS: 0,
    EMIT: "early",
    EMIT_INTERVAL: 1_000,
    IDLE_TIMEOUT: 30_000,
    MAX_FUTURE: 3_600_000,
    MAX_KEYS: 1_000_000,
    UNKNOWN_SCHEMA: "dead-letter",
    DEDUPLICATE: "off",
    DEDUPLICATE_HORIZON: 600_000,
    DEDUPLICATE_MAX_IDS: 2_000_000,
    KAFKA_SESSION_TIMEOUT: 8_000,
  });
});

test("JOB brings defaults of its own, which the environment overrides", () => {
  const env = { JOB: "campaign-counts", WINDOW_SIZE: "20s" };
  const defaults = (given: (name: string) => string | undefined): Record<string, string> => ({
    ...jobDefaults(given("JOB")),
  });
  expect(readEnvironment(environment, { env, file: null, defaults })).toMatchObject({
    JOB: "campaign-counts",
    EVENTS_TOPIC: "events",
    RESULTS_TOPIC: "campaign_counts",
    WINDOW_SIZE: 20_000,
    WINDOW_SLIDE: 10_000,
  });
  expect(() => readEnvironment(environment, { env: { JOB: "x" }, file: null, defaults })).toThrow(
    /JOB is "x": must be one of ad-stats, campaign-counts/,
  );
});

test("redeliveries cannot be told where events have no id", () => {
  const env = { JOB: "campaign-counts", DEDUPLICATE: "event_id" };
  expect(() => read(env)).toThrow(/DEDUPLICATE is "event_id": must be off: the events of this JOB/);
});

test("a start time is an ISO time, and a checkpoint directory may be absolute", () => {
  const config = read({ START_AT: "2026-01-31T12:00:00Z", CHECKPOINT_URL: "file:///var/lib/x" });
  expect(config.START_AT).toBe(Date.UTC(2026, 0, 31, 12));
  expect(config.CHECKPOINT_URL).toEqual({ kind: "file", directory: "/var/lib/x" });
});

test("a rule between two fields is checked although others are wrong", () => {
  const env = { WINDOW_SLIDE: "2m", CHECKPOINT_INTERVAL: "soon" };
  expect(() => read(env)).toThrow(/CHECKPOINT_INTERVAL.*WINDOW_SLIDE/s);
});

test("the horizon of event ids covers window, delay and lateness, exactly, where it matters", () => {
  const env = { DEDUPLICATE: "event_id", DEDUPLICATE_HORIZON: "75s", ALLOWED_LATENESS: "5s" };
  expect(read(env).DEDUPLICATE_HORIZON).toBe(75_000);
  expect(read({ ...env, DEDUPLICATE: "off", WINDOW_SIZE: "1h" }).DEDUPLICATE).toBe("off");
});

test.each([
  ["a slide longer than the window", { WINDOW_SLIDE: "2m" }, /WINDOW_SLIDE.*WINDOW_SIZE/],
  ["another cloud", { CHECKPOINT_URL: "s3://bucket/prefix" }, /CHECKPOINT_URL.*gs:/],
  ["no bucket", { CHECKPOINT_URL: "gs://" }, /CHECKPOINT_URL.*gs:/],
  ["a start that is no time", { START_AT: "yesterday" }, /START_AT.*earliest, latest/],
  [
    "a horizon in which a redelivery counts again",
    { DEDUPLICATE: "event_id", DEDUPLICATE_HORIZON: "69s" },
    /DEDUPLICATE_HORIZON.*WINDOW_SIZE \+ WATERMARK_DELAY \+ ALLOWED_LATENESS/,
  ],
  [
    "a default horizon that more lateness outgrows",
    { DEDUPLICATE: "event_id", ALLOWED_LATENESS: "10m" },
    /DEDUPLICATE_HORIZON/,
  ],
  ["another field to deduplicate by", { DEDUPLICATE: "ad_id" }, /DEDUPLICATE.*off, event_id/],
  ["room for no id", { DEDUPLICATE_MAX_IDS: "0" }, /DEDUPLICATE_MAX_IDS.*from 1 to 5000000/],
  ["more keys than a task can number", { MAX_KEYS: "8000001" }, /MAX_KEYS.*from 1 to 8000000/],
  ["a number without unit", { WINDOW_SIZE: "60" }, /WINDOW_SIZE.*duration/],
])("%s is refused with what is allowed", (_name, env, message) => {
  expect(() => read(env)).toThrow(message);
});
