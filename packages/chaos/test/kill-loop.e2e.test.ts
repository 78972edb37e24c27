import { expect, test } from "vitest";
import { runKillLoop } from "../src/kill-loop.ts";
import { readOptions } from "../src/options.ts";
import { tableOf } from "../src/report-table.ts";

test(
  "after six random faults on the embedded servers every record is counted once",
  { timeout: 90_000 },
  async () => {
    const flags = ["--kills=6", "--seed=5", "--interval=0.5-2", "--rate=900", "--bad-ratio=0"];
    const options = readOptions([...flags, "--producers=2", "--processors=2"], {});
    const { signal } = new AbortController();
    const report = await runKillLoop(options!, { say: () => {}, signal, env: {} });
    // How long it took says more about who else uses this machine now.
    const problems = report.problems.filter((problem) => !problem.startsWith("recovery took"));
    expect(problems, tableOf(report).join("\n")).toEqual([]);
    expect(report).toMatchObject({ faultCount: 6, regressions: 0, producers: { lost: 0 } });
    expect(report.records.in).toBeGreaterThan(5_000);
    expect(report.documents.there).toBeGreaterThan(100);
  },
);
