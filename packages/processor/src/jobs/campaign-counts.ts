import { eventTypes } from "@adstream/contracts/ad-interaction";
import { campaignCountsShape } from "@adstream/contracts/campaign-counts";
import type { Job } from "../job.ts";

/** The last time that a `Date` can hold, epoch ms. */
const endOfTime = 8.64e15;

/** Views, clicks and purchases per campaign, and when the last of them was sent: what latency is measured by. */
export const campaignCounts: Job = {
  name: "campaign-counts",
  key: "campaign_id",
  eventTime: { field: "event_time_ns", unit: "ns" },
  measures: [
    { name: "views", count: "event_type", equals: "view", among: eventTypes },
    { name: "clicks", count: "event_type", equals: "click", among: eventTypes },
    { name: "purchases", count: "event_type", equals: "purchase", among: eventTypes },
    { name: "max_produce_time", max: "produce_time", from: 0, to: endOfTime },
  ],
  result: campaignCountsShape,
};
