import type { MutantName } from "./mutants.ts";
import type { PlanName } from "./faults.ts";
import { type Report, simulate } from "./simulate.ts";
import { type Sight, sights } from "./world.ts";

/** Seeds to run, and how. */
export type Errand = {
  readonly first: number;
  readonly count: number;
  readonly plan: PlanName;
  readonly mutant: MutantName;
};

/** What came of some seeds. */
export type Tally = {
  readonly seeds: number;
  readonly records: number;
  readonly steps: number;
  readonly failed: readonly number[];
  readonly seen: ReadonlyMap<Sight, number>;
};

export const nothing: Tally = {
  seeds: 0,
  records: 0,
  steps: 0,
  failed: [],
  seen: new Map(),
};

/** Runs the seeds of an errand one after the other; those that failed are named in the tally. */
export async function runErrand({ first, count, plan, mutant }: Errand): Promise<Tally> {
  let tally = nothing;
  for (let seed = first; seed < first + count; seed++) {
    tally = sumOf(tally, tallyOf(await simulate(seed, { plan, mutant })));
  }
  return tally;
}

export function sumOf(a: Tally, b: Tally): Tally {
  return {
    seeds: a.seeds + b.seeds,
    records: a.records + b.records,
    steps: a.steps + b.steps,
    failed: [...a.failed, ...b.failed],
    seen: new Map(sights.map((sight) => [sight, times(a, sight) + times(b, sight)])),
  };
}

/** What no run of these has met. */
export function missedSights({ seen }: Tally): Sight[] {
  return sights.filter((sight) => times({ seen }, sight) === 0);
}

export function tallyOf({ seed, records, steps, violations, seen }: Report): Tally {
  return { seeds: 1, records, steps, failed: violations.length > 0 ? [seed] : [], seen };
}

function times({ seen }: Pick<Tally, "seen">, sight: Sight): number {
  return seen.get(sight) ?? 0;
}
