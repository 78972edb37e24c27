import { MongoClient } from "mongodb";
import { closingAd } from "./fill-topic.ts";
import { rowKey, type WindowSums } from "./oracle.ts";
import type { RunContext } from "./services-under-load.ts";

type Row = {
  readonly ad_id: string;
  readonly window: { readonly start: Date };
  readonly status: string;
  readonly count: number;
  readonly total_clicks: number;
  readonly total_views: number;
  readonly total_cost: number;
};

/** The documents of a run by `rowKey`; those that are not final, and of closing records, are left out. */
export async function readDocuments({
  mongoUrl,
  name,
}: Pick<RunContext, "mongoUrl" | "name">): Promise<Map<string, WindowSums>> {
  await using client = new MongoClient(mongoUrl, { appName: "bench" });
  const found = client.db(name).collection<Row>("ad_stats").find({ status: "final" });
  const rows = new Map<string, WindowSums>();
  for await (const { ad_id, window, count, total_clicks, total_views, total_cost } of found) {
    if (ad_id === closingAd) continue;
    const sums = { count, clicks: total_clicks, views: total_views, cost: total_cost };
    rows.set(rowKey(window.start.getTime(), ad_id), sums);
  }
  return rows;
}
