import { expect, test } from "vitest";
import { startCommand } from "../src/start-command.ts";

const manifest = {
  scripts: {
    dev: "node scripts/dev.ts",
    sink: "CACHE=.data/a=b LIMIT=1 node --first --second=4 packages/sink/src/main.ts",
  },
};

test("variables and flags are those around node in the script of the program", () => {
  expect(startCommand("packages/sink/src/main.ts", manifest)).toEqual({
    variables: { CACHE: ".data/a=b", LIMIT: "1" },
    flags: ["--first", "--second=4"],
  });
  expect(startCommand("scripts/dev.ts", manifest)).toEqual({ variables: {}, flags: [] });
});

test("a program without a script has no command", () => {
  expect(startCommand("packages/other/src/main.ts", manifest)).toBeUndefined();
});

test.each([
  { name: "producer", percent: 30 },
  { name: "processor", percent: 60 },
  { name: "sink", percent: 60 },
])("the $name's young generation has one size, its old one grows by $percent %", (of) => {
  const { flags = [] } = startCommand(`packages/${of.name}/src/main.ts`) ?? {};
  const sizes = flags.filter((flag) => flag.includes("semi-space-size"));
  expect(sizes.map((flag) => flag.split("=").at(-1))).toEqual(["4", "4"]);
  expect(flags).toContain(`--heap-growing-percent=${of.percent}`);
});

test("what the processor's tables take counts like the rest of its heap, not by steps of 64 MiB", () => {
  const { flags } = startCommand("packages/processor/src/main.ts") ?? {};
  expect(flags).toContain("--external-memory-accounted-in-global-limit");
});
