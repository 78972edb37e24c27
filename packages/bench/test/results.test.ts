import { describe, expect, test } from "vitest";
import { cellText, markdownTable, openBench, type ResultTable, tableText } from "../src/results.ts";

const drained: ResultTable = {
  caption: "5 runs",
  columns: [{ name: "client" }, { name: "events/s" }, { name: "CPU s/M", digits: 2 }],
  rows: [
    ["adstream", 2_600_000.4, 0.4],
    ["kafkajs", 450_000, null],
  ],
};

test("a number is rounded where it is shown, and what was not measured is a dash", () => {
  const shown = [
    cellText(1_234.5, 2),
    cellText(0.4, 0),
    cellText(null, 1),
    cellText("adstream", 3),
  ];
  expect(shown).toEqual(["1,234.50", "0", "–", "adstream"]);
});

test("a table has its figures on the right, in a terminal and on a page", () => {
  expect(tableText(drained)).toBe(
    [
      "5 runs",
      "client     events/s  CPU s/M",
      "adstream  2,600,000     0.40",
      "kafkajs     450,000        –",
    ].join("\n"),
  );
  expect(markdownTable(drained)).toBe(
    [
      "| client   |  events/s | CPU s/M |",
      "| -------- | --------: | ------: |",
      "| adstream | 2,600,000 |    0.40 |",
      "| kafkajs  |   450,000 |       – |",
    ].join("\n"),
  );
});

describe("--save", () => {
  test("is no argument of the subcommand, and not in the command that repeats its figures", () => {
    const [args, { from }] = openBench("throughput", ["--runs", "3", "--save=small-run"]);
    expect([args, from.command]).toEqual([["--runs", "3"], "pnpm bench throughput --runs 3"]);
  });

  test("takes a name in kebab-case, since it becomes a file", () => {
    for (const flag of ["--save=", "--save=../x", "--save=A"]) {
      expect(() => openBench("throughput", [flag])).toThrow(RangeError);
    }
  });
});
