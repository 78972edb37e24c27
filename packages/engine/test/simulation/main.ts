import { parseArgs } from "node:util";
import { describeFailure, simulate } from "./simulate.ts";
import { calm, sleepy, swarm } from "./faults.ts";
import { type MutantName, mutants } from "./mutants.ts";
import { sights } from "./world.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    first: { type: "string", default: "1" },
    plan: { type: "string", default: "swarm" },
    trace: { type: "string", default: "60" },
    mutant: { type: "string", default: "none" },
  },
});
const first = Number(values.first);
const seeds = Number(values.seeds);
const mutant = Object.keys(mutants).find((name): name is MutantName => name === values.mutant);
if (mutant === undefined) throw new RangeError(`no such mutant: ${values.mutant}`);

const plan = [swarm, sleepy, calm].find(({ name }) => name === values.plan);
if (plan === undefined) throw new RangeError(`no such plan: ${values.plan}`);

const startedAt = performance.now();
const seen = Object.fromEntries(sights.map((sight) => [sight, 0]));
const failed: number[] = [];
let records = 0;
let steps = 0;
for (let seed = first; seed < first + seeds; seed++) {
  const report = await simulate(seed, { mutant, plan });
  records += report.records;
  steps += report.steps;
  for (const [sight, count] of report.seen) seen[sight] = (seen[sight] ?? 0) + count;
  if (report.violations.length === 0) continue;
  failed.push(seed);
  if (failed.length === 1) console.error(describeFailure(report, Number(values.trace)));
}
const seconds = (performance.now() - startedAt) / 1000;
console.log(
  JSON.stringify({
    mutant,
    seeds,
    first,
    failed: failed.length,
    failedSeeds: failed.slice(0, 20),
    records,
    steps,
    seconds: Number(seconds.toFixed(1)),
    seen,
  }),
);
process.exitCode = failed.length === 0 ? 0 : 1;
