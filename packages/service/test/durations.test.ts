import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  duration,
  durationBetween,
  durationOrOff,
  durationOrZero,
  parseDuration,
} from "../src/durations.ts";

test.each([
  ["500ms", 500],
  ["10s", 10_000],
  ["1m", 60_000],
  ["1h", 3_600_000],
  ["0s", 0],
  [" 2m ", 120_000],
  ["8760h", 31_536_000_000],
])("%j is %d ms", (text, durationMs) => {
  expect(parseDuration(text)).toBe(durationMs);
});

test.each([
  "",
  "10",
  "s",
  "-1s",
  "1.5s",
  "1d",
  "1 m",
  "1S",
  "1m30s",
  "0x1s",
  "8761h",
  "9".repeat(20) + "s",
])("%j is no duration", (text) => {
  expect(parseDuration(text)).toBeUndefined();
});

test("any whole number of milliseconds up to a year is read back", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 31_536_000_000 }), (durationMs) => {
      expect(parseDuration(`${durationMs}ms`)).toBe(durationMs);
    }),
  );
});

test.each([
  ["duration refuses zero", duration, "0s", undefined],
  ["durationOrZero takes zero", durationOrZero, "0s", 0],
  ["durationOrOff takes off", durationOrOff, "off", null],
  ["durationOrOff takes a duration", durationOrOff, "720h", 2_592_000_000],
  ["durationOrOff refuses zero", durationOrOff, "0s", undefined],
  ["durationBetween takes its lower bound", durationBetween("1s", "1m"), "1s", 1_000],
  ["durationBetween takes its upper bound", durationBetween("1s", "1m"), "1m", 60_000],
  ["durationBetween refuses less", durationBetween("1s", "1m"), "999ms", undefined],
  ["durationBetween refuses more", durationBetween("1s", "1m"), "61s", undefined],
] as const)("%s", (_rule, field, text, parsed) => {
  expect(field.safeParse(text).data).toEqual(parsed);
});
