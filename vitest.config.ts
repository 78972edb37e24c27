import { defineConfig } from "vitest/config";

/** Where the numbers go that .ci/run adds up. */
const report = process.env["VITEST_REPORT"];

/** Outages last as long as the fault matrix says; up to ten minutes. */
const fullFaults = process.env["FAULT_FULL"] === "1";

/** Pure code shares workers; anything with servers or child processes gets a process of its own. */
export default defineConfig({
  test: {
    // Tests with servers mostly wait: for sessions to end, for patience to run out. Two cores carry more than one of them.
    maxWorkers: 3,
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
    projects: [
      {
        test: {
          name: "unit",
          include: ["packages/*/test/**/*.test.ts", "scripts/test/**/*.test.ts"],
          exclude: [
            "**/*.integration.test.ts",
            "**/*.e2e.test.ts",
            "packages/chaos/test/faults/**",
          ],
          isolate: false,
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: "faults",
          include: ["packages/chaos/test/faults/**/*.test.ts"],
          pool: "forks",
          testTimeout: fullFaults ? 1_200_000 : 300_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "integration",
          include: ["{packages/*,scripts}/test/**/*.{integration,e2e}.test.ts"],
          exclude: ["packages/chaos/test/faults/**"],
          pool: "forks",
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
