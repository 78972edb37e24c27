import { describe, expect, test } from "vitest";
import type { PlanName } from "./faults.ts";
import type { MutantName } from "./mutants.ts";
import { shorten } from "./shorten.ts";
import { describeFailure, type Report, simulate } from "./simulate.ts";

/** About 10 s of one core; more when others use it too. */
const patienceMs = 240_000;

/** Runs seeds until one fails, with a violation like `check`; undefined when none does. */
async function firstFailure(
  seeds: { readonly first: number; readonly count: number },
  options: { readonly mutant?: MutantName; readonly plan?: PlanName },
  check = /./,
): Promise<Report | undefined> {
  for (let seed = seeds.first; seed < seeds.first + seeds.count; seed++) {
    const report = await simulate(seed, options);
    if (report.violations.some((violation) => check.test(violation))) return report;
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
      expectNone(await firstFailure({ first: 1, count: 200 }, { plan: "swarm" }));
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
    expectNone(await firstFailure({ first: 1, count: 25 }, { plan: "calm" }));
  });
});

describe("when members fall asleep and wake up as zombies", () => {
  test("nothing that a successor decided is contradicted", async () => {
    expectNone(await firstFailure({ first: 1, count: 60 }, { plan: "sleepy" }));
  });
});

/** What each mutant is, where it shows, and the check that must see it: every check has one that makes it fail. */
const caught: [MutantName, PlanName, number, RegExp][] = [
  ["overwrite instead of create", "swarm", 100, /was created twice/],
  ["checkpoint before publish", "swarm", 100, /before its results are out|does not cover/],
  ["results acknowledged and not written", "swarm", 100, /does not cover/],
  ["offsets without state", "calm", 100, /does not cover/],
  [
    "position skips ahead",
    "swarm",
    100,
    /counts|is not the one|does not cover|no longer has offset/,
  ],
  ["no version guard", "sluggish", 100, /falls from version/],
  ["sink rebuilt from a compacted topic", "sluggish", 100, /^rebuilt document/],
  ["no ownership check before publishing", "sleepy", 300, /published|already says|does not cover/],
  ["an ambiguous answer taken as a fence", "swarm", 100, /which nobody took/],
  ["lateness judged by the batch", "calm", 100, /does not cover|has another state/],
  ["future guard on the wall clock", "sleepy", 100, /already says|counts/],
  ["decisions published before they are durable", "sleepy", 100, /leaves a gap|already says/],
  ["no fence", "upgrading", 100, /published|counts|does not cover|another state/],
  ["a delta on a base that is not its own", "calm", 100, /cannot be applied/],
  ["late records not counted", "calm", 100, /counts/],
];

describe("a failed run", () => {
  test("is told again with as few faults as still make it fail", async () => {
    const how = { mutant: "overwrite instead of create", plan: "swarm" } as const;
    const failed = await firstFailure({ first: 1, count: 100 }, how);
    const whole = await simulate(failed?.seed ?? 0, how);
    const { report, faults } = await shorten(whole, how);
    expect(faults.length).toBeLessThan(whole.faults);
    const again = await simulate(whole.seed, { ...how, faults: new Set(faults) });
    expect(again.violations).toEqual(report.violations);
    expect(again.violations).not.toEqual([]);
  });
});

describe("the simulation notices", () => {
  test.each(caught)(
    "%s, with plan %s within %i seeds",
    async (mutant, plan, count, check) => {
      // A mutant may be noticed by other checks first, as the seeds will have it.
      const failure = await firstFailure({ first: 1, count }, { mutant, plan }, check);
      expect(failure?.violations.join("\n")).toMatch(check);
    },
    patienceMs,
  );
});
