import type { AdStats } from "@adstream/contracts/ad-stats";
import { adStatsSchema } from "@adstream/contracts/ad-stats";
import { documentId } from "@adstream/contracts/documents";
import { avroCodec } from "@adstream/kafka/avro-codec";
import type { Job, PublishedResult } from "../job.ts";

const maxInt = 2 ** 31 - 1;
const { decode } = avroCodec(adStatsSchema, { bigintFields: ["version"] });

function published(payload: Uint8Array): PublishedResult | undefined {
  const { ad_id, window_start, window_end, slot, version } = Object(decode(payload));
  if (typeof ad_id !== "string" || typeof version !== "bigint") return undefined;
  const [windowStart, windowEnd] = [Number(window_start), Number(window_end)];
  return { key: ad_id, windowStart, windowEnd, slot: Number(slot), version };
}

/** Clicks, views and cost per ad: the job this project began with. */
export const adStats: Job = {
  name: "ad-stats",
  event: {
    key: "ad_id",
    eventTime: "timestamp",
    numbers: [
      { field: "clicks", min: 0, max: maxInt },
      { field: "views", min: 0, max: maxInt },
      { field: "cost", min: 0, max: Number.MAX_VALUE },
    ],
  },
  eventId: "event_id",
  resultSchema: adStatsSchema,
  published,
  resultKey: ({ key, windowStart }) => documentId(windowStart, key),
  result({
    key,
    windowStart,
    windowEnd,
    slot,
    version,
    status,
    records,
    sums,
    ...latest
  }): AdStats {
    const [clicks = 0, views = 0, cost = 0] = sums;
    return {
      ad_id: key,
      window_start: windowStart,
      window_end: windowEnd,
      slot,
      version,
      status,
      count: records,
      total_clicks: clicks,
      total_views: views,
      total_cost: cost,
      max_event_time: latest.maxEventTime,
      max_record_time: latest.maxRecordTime,
    };
  },
};
