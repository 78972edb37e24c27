import { describe, expect, test } from "vitest";
import { calm, type FaultPlan, sleepy, swarm } from "./faults.ts";
import type { MutantName } from "./mutants.ts";
import type { Random } from "./random.ts";
import { describeFailure, type Report, simulate } from "./simulate.ts";
import { sights } from "./world.ts";

type Plan = (random: Random) => FaultPlan;

/** About 10 s of one core; more when others use it too. */
const patienceMs = 240_000;

/** Runs seeds until one fails; undefined when none does. */
async function firstFailure(
  seeds: { readonly first: number; readonly count: number },
  options: { readonly mutant?: MutantName; readonly plan?: Plan },
  each: (report: Report) => void = () => {},
): Promise<Report | undefined> {
  for (let seed = seeds.first; seed < seeds.first + seeds.count; seed++) {
    const report = await simulate(seed, options);
    each(report);
    if (report.violations.length > 0) return report;
  }
  return undefined;
}

function expectNone(failure: Report | undefined): void {
  expect(failure === undefined ? "" : describeFailure(failure)).toBe("");
}

describe("under any mix of kills, freezes, rebalances, outages and bit rot", () => {
  test(
    "every document ends as the log says, and every invariant holds on the way",
    async () => {
      const seen = new Map(sights.map((sight) => [sight, 0]));
      const failure = await firstFailure({ first: 1, count: 500 }, { plan: swarm }, (report) => {
        for (const [sight, count] of report.seen) seen.set(sight, (seen.get(sight) ?? 0) + count);
      });
      expectNone(failure);
      const missed = [...seen].filter(([, count]) => count === 0).map(([sight]) => sight);
      expect(missed).toEqual([]);
    },
    patienceMs,
  );

  test("the same seed gives the same run, to the last line of its trace", async () => {
    for (const seed of [3, 5, 8]) {
      const [one, two] = [await simulate(seed), await simulate(seed)];
      expect(two.trace).toEqual(one.trace);
      expect(two.digest).toBe(one.digest);
    }
    expect((await simulate(4)).digest).not.toBe((await simulate(3)).digest);
  });
});

describe("when members only come and go in good order", () => {
  test("dead letters and late records are published once", async () => {
    expectNone(await firstFailure({ first: 1, count: 25 }, { plan: calm }));
  });
});

describe("when members fall asleep and wake up as zombies", () => {
  test("nothing that a successor decided is contradicted", async () => {
    expectNone(await firstFailure({ first: 1, count: 60 }, { plan: sleepy }));
  });
});

describe("the simulation notices", () => {
  test.each<[MutantName, number, Plan]>([
    ["overwrite instead of create", 100, swarm],
    ["checkpoint before publish", 100, swarm],
    ["offsets without state", 100, swarm],
    ["position skips ahead", 100, swarm],
    ["no version guard", 100, swarm],
    ["no ownership check before publishing", 300, sleepy],
    ["an ambiguous answer taken as a fence", 100, swarm],
  ])(
    "%s, within %i seeds",
    async (mutant, count, plan) => {
      expect(await firstFailure({ first: 1, count }, { mutant, plan })).toBeDefined();
    },
    patienceMs,
  );
});
