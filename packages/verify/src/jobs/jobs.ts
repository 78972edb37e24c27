import type { JobName } from "@adstream/contracts/jobs";
import { adStats } from "./ad-stats.ts";
import { campaignCounts } from "./campaign-counts.ts";
import type { CountedJob } from "./job.ts";

/** By the value of JOB. */
export const jobs: Readonly<Record<JobName, CountedJob>> = {
  "ad-stats": adStats,
  "campaign-counts": campaignCounts,
};
