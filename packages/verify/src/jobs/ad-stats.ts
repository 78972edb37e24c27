import type { CountedJob } from "./job.ts";

export const adStats: CountedJob = {
  key: "ad_id",
  eventId: "event_id",
  read(fields) {
    const key = fields.text("ad_id") ?? "";
    const time = fields.time("timestamp", "ms");
    const [clicks, views, cost] = [
      fields.number("clicks"),
      fields.number("views"),
      fields.number("cost"),
    ];
    const whole = [clicks, views].every((n) => Number.isInteger(n) && n >= 0 && n < 2 ** 31);
    if (!whole || !Number.isFinite(cost) || cost < 0) return undefined;
    return { key, time, figures: { total_clicks: clicks, total_views: views, total_cost: cost } };
  },
  figures: { total_clicks: "sum", total_views: "sum", total_cost: "sum" },
  ratios({ count, total_clicks = 0, total_views = 0, total_cost = 0 }) {
    return {
      avg_clicks: total_clicks / count,
      avg_views: total_views / count,
      avg_cost: total_cost / count,
      avg_cost_per_view: total_views === 0 ? null : total_cost / total_views,
    };
  },
};
