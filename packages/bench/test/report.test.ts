import { expect, test } from "vitest";
import type { Drain } from "../src/drain.ts";
import { readmeFigures } from "../src/readme-figures.ts";
import { recoveryFigures } from "../src/recovery.ts";
import { documents, resultsPage, withFigures } from "../src/report.ts";
import type { Figures, Result } from "../src/results.ts";
import { throughputFigures } from "../src/throughput-figures.ts";

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
const drain: Drain = {
  client: "adstream",
  seconds: 2,
  eventsPerSecond: 2_600_000,
  cpuSecondsPerMillion: 0.4,
  cpuSecondsPerMillionRunning: 0.3,
  peakRssMiB: 200,
  resultRecords: 10,
  rows: { right: 10, wrong: 0, missing: 0, extra: 0 },
};
const drained: Parameters<typeof throughputFigures>[0] = {
  ...checkpoint,
  servers: "embedded Kafka",
  options: {
    events: 5_000_000,
    ads: 1_000,
    partitions: 4,
    codec: "none",
    seed: 1,
    runs: 3,
    processors: 1,
    json: false,
    profile: undefined,
    under: [],
  },
  topicBytes: 1,
  drains: [2_500_000, 2_600_000, 3_200_000].map((rate) => ({ ...drain, eventsPerSecond: rate })),
  medians: [drain],
  rateRatio: 5.8,
  cpuRatio: 5.5,
  scaling: undefined,
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

test("the README finds its figures in what the subcommands save", () => {
  const as = (name: string, figures: Figures): [string, Result] => [
    name,
    { ...checkpoint, ...figures, name },
  ];
  const quantiles = { count: 4, p50: 3_800, p95: 7_600, p99: 9_800, max: 13_300 };
  const figures = readmeFigures(
    new Map([
      as("throughput", throughputFigures(drained)),
      as("recovery", recoveryFigures({ recoveryMs: quantiles }, "6s")),
    ]),
  );
  expect(figures).toContain("| 2,600,000 (2,500,000 – 3,200,000) ");
  expect(figures).toContain("| 0.400 ");
  expect(figures).toContain("| p50 3.8 s, p95 7.6 s, longest 13.3 s ");
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
