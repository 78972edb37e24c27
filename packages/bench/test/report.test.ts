import { expect, test } from "vitest";
import { readmeFigures } from "../src/readme-figures.ts";
import { documents, resultsPage, withFigures } from "../src/report.ts";
import type { Result } from "../src/results.ts";

const checkpoint: Result = {
  name: "checkpoint",
  date: "2026-01-31T12:00:00.000Z",
  command: "pnpm bench checkpoint --runs 200",
  commit: "0123456789abcdef",
  machine: { cpu: "Xeon", cores: 2, memoryGiB: 24, kernel: "6.18", node: "v24.21.0", load: 0.1 },
  setting: "300 open states, 200 runs",
  tables: [
    {
      caption: "",
      columns: [{ name: "ms" }, { name: "median", digits: 1 }, { name: "p99", digits: 1 }],
      rows: [
        ["pause for the snapshot", 0.64, 25],
        ["restore", 34, 40],
      ],
    },
  ],
  raw: null,
};
const saved = new Map([["checkpoint", checkpoint]]);

test("RESULTS.md and the figures of the README are what `pnpm bench report` makes of the saved results", () => {
  for (const { path, is, shouldBe } of documents()) expect(is, path).toBe(shouldBe);
});

test("a page of results says where each comes from", () => {
  expect(resultsPage(saved).split("\n\n").slice(2)).toEqual([
    "## checkpoint",
    "300 open states, 200 runs.",
    [
      "| ms                     | median |  p99 |",
      "| ---------------------- | -----: | ---: |",
      "| pause for the snapshot |    0.6 | 25.0 |",
      "| restore                |   34.0 | 40.0 |",
    ].join("\n"),
    "`pnpm bench checkpoint --runs 200`, 2026-01-31, commit 0123456789ab; 2 cores of Xeon, 24 GiB, Linux 6.18, Node v24.21.0, load before 0.1.\n",
  ]);
});

test("the README has the figures of what was saved, with the command that repeats them", () => {
  expect(readmeFigures(new Map())).toBe("");
  expect(readmeFigures(saved)).toBe(
    [
      "| what                    | figure                     | command                            |",
      "| ----------------------- | -------------------------- | ---------------------------------- |",
      "| pause of a checkpoint   | median 0.6 ms, p99 25.0 ms | `pnpm bench checkpoint --runs 200` |",
      "| restore of a checkpoint | median 34.0 ms             | `pnpm bench checkpoint --runs 200` |",
    ].join("\n"),
  );
});

test("a result that lacks what the README shows is an error, not a gap", () => {
  const lacking = new Map([["checkpoint", { ...checkpoint, tables: [] }]]);
  expect(() => readmeFigures(lacking)).toThrow(/no median of pause for the snapshot/);
});

test("figures stand between two marks, and nothing else of the text changes", () => {
  const marks = ["<!-- figures: pnpm bench report -->", "<!-- end of figures -->"];
  const text = `before\n\n${marks[0]}\n\nold\n\n${marks[1]}\n\nafter\n`;
  expect(withFigures(text, "new")).toBe(text.replace("old", "new"));
  expect(withFigures(withFigures(text, ""), "old")).toBe(text);
  expect(() => withFigures("before\n", "new")).toThrow(/no "<!-- figures/);
});
