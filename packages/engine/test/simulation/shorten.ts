import { type Report, simulate, type SimulationOptions } from "./simulate.ts";

/** A failed run with as few faults as we found, and which those are. */
export type Shortened = { readonly report: Report; readonly faults: readonly number[] };

const maxRuns = 300;

/**
 * Leaves out halves of the faults of a failed run, then quarters and so on down to single ones, as long as it still fails
 * (Zeller's ddmin). A fault left out changes all that follows, so the run that is left may fail in another way.
 */
export async function shorten(failed: Report, options: SimulationOptions): Promise<Shortened> {
  let best: Shortened = { report: failed, faults: [...Array(failed.faults).keys()] };
  let runs = 0;
  for (let parts = 2; runs < maxRuns;) {
    const size = Math.max(1, Math.ceil(best.faults.length / parts));
    let shorter: Shortened | undefined;
    for (let from = 0; from < best.faults.length && runs < maxRuns; from += size) {
      const faults = best.faults.filter((_, at) => at < from || at >= from + size);
      runs++;
      const report = await simulate(failed.seed, { ...options, faults: new Set(faults) });
      if (report.violations.length === 0) continue;
      // What comes after the failure needs no leaving out.
      shorter = { report, faults: faults.filter((ordinal) => ordinal < report.faults) };
      break;
    }
    if (shorter !== undefined) {
      best = shorter;
      parts = Math.max(2, parts - 1);
    } else if (size === 1) break;
    else parts = Math.min(best.faults.length, parts * 2);
  }
  return best;
}
