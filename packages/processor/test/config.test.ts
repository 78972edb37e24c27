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
    CHECKPOINT_URL: ".data/checkpoints",
    CHECKPOINT_INTERVAL: 5_000,
    WINDOW_SIZE: 60_000,
    WINDOW_SLIDE: 30_000,
    WATERMARK_DELAY: 10_000,
    ALLOWED_LATENESS: 0,
    EMIT: "early",
    EMIT_INTERVAL: 1_000,
    IDLE_TIMEOUT: 30_000,
    MAX_FUTURE: 3_600_000,
    KAFKA_SESSION_TIMEOUT: 8_000,
  });
});

test("a start time is an ISO time, and a checkpoint directory may be absolute", () => {
  const config = read({ START_AT: "2026-01-31T12:00:00Z", CHECKPOINT_URL: "file:///var/lib/x" });
  expect(config.START_AT).toBe(Date.UTC(2026, 0, 31, 12));
  expect(config.CHECKPOINT_URL).toBe("/var/lib/x");
});

test("a rule between two fields is checked although others are wrong", () => {
  const env = { WINDOW_SLIDE: "2m", CHECKPOINT_INTERVAL: "soon" };
  expect(() => read(env)).toThrow(/CHECKPOINT_INTERVAL.*WINDOW_SLIDE/s);
});

test.each([
  ["a slide longer than the window", { WINDOW_SLIDE: "2m" }, /WINDOW_SLIDE.*WINDOW_SIZE/],
  ["a bucket", { CHECKPOINT_URL: "gs://bucket/prefix" }, /CHECKPOINT_URL.*local directory/],
  ["a start that is no time", { START_AT: "yesterday" }, /START_AT.*earliest, latest/],
  ["a number without unit", { WINDOW_SIZE: "60" }, /WINDOW_SIZE.*duration/],
])("%s is refused with what is allowed", (_name, env, message) => {
  expect(() => read(env)).toThrow(message);
});
