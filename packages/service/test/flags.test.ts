import { expect, test } from "vitest";
import { flagHelp, readFlags } from "../src/flags.ts";

const table = {
  rate: { variable: "PRODUCER_RATE", value: "n", about: "events per second" },
  quiet: { variable: "QUIET", about: "no status" },
} as const;

function read(...argv: string[]): [Record<string, unknown>, readonly string[], boolean] {
  const { overrides, problems, help } = readFlags(argv, table);
  return [Object.fromEntries(overrides), problems, help];
}

test.each([
  ["values after a space", ["--rate", "5"], { PRODUCER_RATE: { flag: "--rate", value: "5" } }],
  ["values after =", ["--rate=5"], { PRODUCER_RATE: { flag: "--rate", value: "5" } }],
  [
    "the last of several",
    ["--rate=5", "--rate=6"],
    { PRODUCER_RATE: { flag: "--rate", value: "6" } },
  ],
  ["switches", ["--quiet"], { QUIET: { flag: "--quiet", value: "true" } }],
  ["past pnpm's --", ["--", "--quiet"], { QUIET: { flag: "--quiet", value: "true" } }],
])("%s are read", (_case, argv, overrides) => {
  expect(read(...argv)).toEqual([overrides, [], false]);
});

test("what is not known is listed, all of it", () => {
  expect(read("--rat", "5", "now", "--constructor", "--rate")).toEqual([
    {},
    [
      "--rat: there is no such flag, see --help",
      "5: there is no such argument",
      "now: there is no such argument",
      "--constructor: there is no such flag, see --help",
      "--rate: needs n",
    ],
    false,
  ]);
  expect(read("--quiet=no")).toEqual([{}, ["--quiet: takes no value"], false]);
});

test("help is asked for by --help and names flags and variables", () => {
  expect(read("--help")[2]).toBe(true);
  expect(flagHelp("pnpm producer", table)).toBe(
    [
      "usage: pnpm producer [flags]",
      "  --rate <n>  events per second (PRODUCER_RATE)",
      "  --quiet     no status (QUIET)",
      "  --help      this text",
      "",
    ].join("\n"),
  );
});
