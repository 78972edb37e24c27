import { expect, test } from "vitest";
import { dlqOptions } from "../dlq/options.ts";
import { isLate } from "../dlq/redrive-plan.ts";
import { runDlq } from "../dlq/run-dlq.ts";

test.each<[string[], object]>([
  [["list"], { command: "list", topic: "dlq", json: false }],
  [["--", "list", "--topic", "late", "--json"], { command: "list", topic: "late", json: true }],
  [["show", "1/22"], { command: "show", selection: { origin: "1/22" } }],
  [
    ["redrive", "--reason=null value", "--schema-id", "7", "--limit=3", "--yes"],
    { command: "redrive", selection: { reason: "null value", schemaId: 7 }, limit: 3, yes: true },
  ],
  [["redrive"], { yes: false, limit: Infinity }],
])("%j is understood", (argv, expected) => {
  expect(dlqOptions(argv)).toMatchObject(expected);
});

test.each<[string[], string]>([
  [[], "no command: there are list, show and redrive"],
  [["delete"], "delete: there are list, show and redrive"],
  [["list", "all"], "all: there is no such argument"],
  [["list", "--yes"], "--yes: is for redrive"],
  [["list", "--all"], "--all: there is no such flag"],
  [["show"], "show: which one? partition/offset"],
  [["show", "7"], "7: an origin is partition/offset"],
  [["redrive", "--topic", "late"], "redrive: late events would be late again"],
  [["redrive", "--limit", "-1"], "-1: must be a whole number"],
  [["redrive", "--limit", "x"], "x: must be a whole number"],
  [["list", "--topic", "x"], "--topic x: there are dlq and late"],
])("%j is refused with 64, and why", async (argv, problem) => {
  let said = "";
  const nothing = (): void => {};
  const stderr = (text: string): void => void (said += text);
  expect(await runDlq({ argv, env: {}, envFile: null, stdout: nothing, stderr })).toBe(64);
  expect(said).toContain(problem);
});

test("an event is late when its last window closed", () => {
  const rules = {
    windowSizeMs: 60_000,
    windowSlideMs: 30_000,
    watermarkDelayMs: 10_000,
    allowedLatenessMs: 0,
  };
  // 20 s lies in the windows from -30 s and from 0 s; the latter closes when the log comes to 70 s.
  expect(isLate(20_000, 69_999, rules)).toBe(false);
  expect(isLate(20_000, 70_000, rules)).toBe(true);
  expect(isLate(20_000, 70_000, { ...rules, allowedLatenessMs: 1 })).toBe(false);
});
