import type { JobName } from "@adstream/contracts/jobs";
import type { Job } from "../job.ts";
import { adStats } from "./ad-stats.ts";
import { campaignCounts } from "./campaign-counts.ts";

/** By the value of JOB. */
export const jobs: Readonly<Record<JobName, Job>> = {
  "ad-stats": adStats,
  "campaign-counts": campaignCounts,
};
