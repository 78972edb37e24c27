import { expect, test } from "vitest";
import { codecNamed, count, duration } from "../src/option-values.ts";

test.for([
  ["500ms", 500],
  ["60s", 60_000],
  ["5m", 300_000],
] as const)("%s is a duration", ([text, durationMs]) => {
  expect(duration("duration", text)).toBe(durationMs);
});

test.for(["", "60", "s", "0s", "-1s", "1.5s", "1h", "60 s"])("%j is no duration", (text) => {
  expect(() => duration("delay", text)).toThrow(`--delay ${text} is not a duration`);
});

test("a duration that is too short is refused with the least one", () => {
  expect(duration("duration", "12s", 12_000)).toBe(12_000);
  expect(() => duration("duration", "11s", 12_000)).toThrow("of 12s at least");
});

test("a count is a whole number from 1 to 2^31", () => {
  expect([count("events", "1"), count("events", "20_000_000")]).toEqual([1, 20_000_000]);
  for (const text of ["0", "-1", "1.5", "x", "", "2147483649"]) {
    expect(() => count("events", text), text).toThrow(`--events ${text} is not`);
  }
});

test("a codec that is none is refused with those there are", () => {
  expect(codecNamed("zstd")).toBe("zstd");
  expect(() => codecNamed("brotli")).toThrow("none, gzip, snappy, lz4, zstd");
});
