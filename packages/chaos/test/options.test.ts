import { expect, test } from "vitest";
import { readOptions, UsageError } from "../src/options.ts";

test("without flags it is the kill loop of the protocol", () => {
  expect(readOptions(["--seed=4"], {})).toMatchObject({
    seed: 4,
    sizes: { producer: 3, processor: 3, sink: 2 },
    kills: 40,
    interval: { minMs: 500, maxMs: 5_000 },
    stopRatio: 0.2,
    durationMs: undefined,
    soak: false,
    broker: undefined,
  });
});

test("a soak lasts for 30 minutes at 5,000 records a second with a kill each minute, unless told otherwise", () => {
  const soak = { durationMs: 1_800_000, rate: 5_000, interval: { minMs: 60_000, maxMs: 60_000 } };
  expect(readOptions(["--soak"], {})).toMatchObject(soak);
  const flags = ["--soak", "--duration=90s", "--rate=10", "--kill-every=500ms"];
  const shorter = { durationMs: 90_000, rate: 10, interval: { minMs: 500, maxMs: 500 } };
  expect(readOptions(flags, {})).toMatchObject(shorter);
});

test.each([
  [["--kills=-1"], "--kills"],
  [["--interval=5-0.5"], "--interval 5-0.5"],
  [["--stop-ratio=2"], "--stop-ratio 2"],
  [["--duration=soon"], "--duration soon"],
  [["--broker"], "CHAOS_BROKER_PID_FILE"],
  [["--sharks"], "--sharks"],
])("%j is refused by its name", (args, named) => {
  expect(() => readOptions(args, {})).toThrow(UsageError);
  expect(() => readOptions(args, {})).toThrow(named);
});

test("help is an answer, not a run", () => {
  expect(readOptions(["--help"], {})).toBeUndefined();
});
