import { rejectCode } from "../../src/columns.ts";
import type { InputEntry } from "./input-log.ts";

/** Versions of the step function that run side by side while an upgrade is under way. */
export type JobVersion = 1 | 2;

/**
 * More views than this with fewer clicks are an error to the newer version, so that windows lose records, and some all of
 * them; rare enough that the breaker does not take it for a bad deploy.
 */
const mostViews = 7;
const fewClicks = 3;

/** An entry as the step function of `version` takes it: the newer one counts clicks twice and believes fewer records. */
export function readAs(version: JobVersion, entry: InputEntry): InputEntry {
  if (version === 1 || entry.kind !== "record") return entry;
  const unlikely = entry.views > mostViews && entry.clicks < fewClicks;
  const rejected = entry.rejected || (unlikely ? rejectCode("number out of range") : 0);
  return { ...entry, clicks: 2 * entry.clicks, rejected };
}
