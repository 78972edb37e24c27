import { expect, test } from "vitest";
import { adStatsSchema } from "../src/ad-stats.ts";
import { campaignCountsSchema } from "../src/campaign-counts.ts";
import { jobContracts, jobDefaults, jobNames } from "../src/jobs.ts";

test("the schema of ad-stats is that of the results which are out there", () => {
  expect(adStatsSchema).toBe(
    '{"type":"record","name":"AdStats","namespace":"adstream","doc":"One revision of one slot of one (ad, window). The highest version of a slot wins; totals are sums over slots.","fields":[{"name":"ad_id","type":"string"},{"name":"window_start","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"window_end","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"slot","type":"int"},{"name":"version","type":"long"},{"name":"status","type":{"type":"enum","name":"Status","symbols":["early","final","corrected"]}},{"name":"count","type":"long"},{"name":"total_clicks","type":"long"},{"name":"total_views","type":"long"},{"name":"total_cost","type":"double"},{"name":"max_event_time","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"max_record_time","type":"long"}]}',
  );
});

test("sums come before the times in a schema, and maxima behind them", () => {
  const { fields }: { fields: { name: string }[] } = JSON.parse(campaignCountsSchema);
  expect(fields.map(({ name }) => name).join(" ")).toBe(
    "campaign_id window_start window_end slot version status count views clicks purchases max_event_time max_record_time max_produce_time",
  );
});

test("every job has a name that JOB may have, and no two write to the same places", () => {
  expect([...jobNames].toSorted()).toEqual(Object.keys(jobContracts).toSorted());
  const places = jobNames.map((job) => jobDefaults(job)["MONGODB_COLLECTION"] ?? "ad_stats");
  expect(new Set(places).size).toBe(jobNames.length);
  expect(jobDefaults("__proto__")).toEqual({});
});
