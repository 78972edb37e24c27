import { adStats } from "./ad-stats.ts";
import { campaignCounts } from "./campaign-counts.ts";
import type { JobName } from "@adstream/contracts/jobs";
import type { TrafficJob } from "./job.ts";

export const jobs: Readonly<Record<JobName, TrafficJob>> = {
  "ad-stats": adStats,
  "campaign-counts": campaignCounts,
};
