import type { CountedJob } from "./job.ts";

export const campaignCounts: CountedJob = {
  key: "campaign_id",
  read(fields) {
    const key = fields.text("campaign_id") ?? "";
    const time = fields.time("event_time_ns", "ns");
    const sent = fields.number("produce_time");
    const type = fields.text("event_type");
    if (type !== "view" && type !== "click" && type !== "purchase") return undefined;
    if (!Number.isInteger(sent) || sent < 0 || sent > 8.64e15) return undefined;
    const figures = { views: 0, clicks: 0, purchases: 0, max_produce_time: sent };
    figures[type === "view" ? "views" : type === "click" ? "clicks" : "purchases"] = 1;
    return { key, time, figures };
  },
  figures: { views: "sum", clicks: "sum", purchases: "sum", max_produce_time: "max" },
  ratios: () => ({}),
};
