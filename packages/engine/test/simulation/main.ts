import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { runCampaign } from "./campaign.ts";
import { type PlanName, plans } from "./faults.ts";
import { type MutantName, mutants } from "./mutants.ts";
import { shorten } from "./shorten.ts";
import { describeFailure, type Report, simulate } from "./simulate.ts";
import { missedSights } from "./tally.ts";

/** Seeds on every core; prints what they met, and of the first that fails its shortest trace. */

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "2000" },
    first: { type: "string", default: "1" },
    plan: { type: "string", default: "swarm" },
    mutant: { type: "string", default: "none" },
    trace: { type: "string", default: "60" },
    workers: { type: "string", default: String(availableParallelism()) },
    faults: { type: "string" },
  },
});
const plan = Object.keys(plans).find((name): name is PlanName => name === values.plan);
if (plan === undefined) throw new RangeError(`plans: ${Object.keys(plans).join(", ")}`);
const mutant = Object.keys(mutants).find((name): name is MutantName => name === values.mutant);
if (mutant === undefined) throw new RangeError(`mutants: ${Object.keys(mutants).join(", ")}`);
const how = { plan, mutant };
const first = wholeNumber("first", values.first);
const traceLines = wholeNumber("trace", values.trace);
/** All must be met by a run of this many seeds, or it proves little. */
const enoughForAllSights = 2_000;

if (values.faults === undefined) await campaign();
else await repeat(new Set(values.faults.split(",").filter(Boolean).map(Number)));

async function campaign(): Promise<void> {
  const count = wholeNumber("seeds", values.seeds);
  const startedAt = performance.now();
  let saidAt = startedAt;
  const whole = { first, count, ...how };
  const tally = await runCampaign(whole, wholeNumber("workers", values.workers), (sum) => {
    if (performance.now() - saidAt < 30_000) return;
    saidAt = performance.now();
    console.error(`${sum.seeds} of ${count} seeds, ${sum.failed.length} failed`);
  });
  const seconds = (performance.now() - startedAt) / 1_000;
  const perSecond = Math.round(tally.seeds / seconds);
  const { records, steps, failed, seen } = tally;
  console.log(
    `plan ${plan}, mutant ${mutant}: ${tally.seeds} seeds from ${first}, ${records} records, ${steps} steps, ` +
      `${seconds.toFixed(1)} s, ${perSecond} seeds/s, ${failed.length} failed`,
  );
  console.log(`met: ${[...seen].map(([sight, met]) => `${sight} ${met}`).join(", ")}`);
  const missed = plan === "swarm" && tally.seeds >= enoughForAllSights ? missedSights(tally) : [];
  if (missed.length > 0) console.error(`never met: ${missed.join(", ")}`);
  if (failed.length + missed.length > 0) process.exitCode = 1;
  const [failedSeed] = failed;
  if (failedSeed !== undefined) await explain(failedSeed, failed);
}

async function explain(seed: number, failed: readonly number[]): Promise<void> {
  const whole = await simulate(seed, how);
  console.error(`failed: ${failed.join(" ")}; leaving out faults of seed ${seed} …`);
  const { report, faults } = await shorten(whole, how);
  console.error(`${faults.length} of ${whole.faults} faults are enough:`);
  console.error(describeFailure(report, traceLines));
  const run = `pnpm sim --seeds 1 --first ${seed} --plan ${plan} --mutant ${JSON.stringify(mutant)}`;
  console.error(`repeat the whole run: ${run} --faults all`);
  console.error(`repeat the shorter one: ${run} --faults ${JSON.stringify(faults.join(","))}`);
}

async function repeat(kept: ReadonlySet<number>): Promise<void> {
  const faults = values.faults === "all" ? {} : { faults: kept };
  const report: Report = await simulate(first, { ...how, ...faults });
  console.log(describeFailure(report, traceLines));
  if (report.violations.length > 0) process.exitCode = 1;
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) throw new RangeError(`--${name} ${text}`);
  return number;
}
