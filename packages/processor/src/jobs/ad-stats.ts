import { adStatsShape } from "@adstream/contracts/ad-stats";
import type { Job } from "../job.ts";

const maxInt = 2 ** 31 - 1;

/** Clicks, views and cost per ad: the job this project began with. */
export const adStats: Job = {
  name: "ad-stats",
  key: "ad_id",
  eventTime: { field: "timestamp", unit: "ms" },
  eventId: "event_id",
  measures: [
    { name: "total_clicks", sum: "clicks", from: 0, to: maxInt },
    { name: "total_views", sum: "views", from: 0, to: maxInt },
    { name: "total_cost", sum: "cost", from: 0, to: Number.MAX_VALUE },
  ],
  result: adStatsShape,
};
