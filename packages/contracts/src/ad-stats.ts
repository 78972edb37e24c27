import { resultSchema, type ResultShape } from "./result-shape.ts";

/**
 * A result on the results topic: one revision of one slot of one (ad, window).
 *
 * The latest `version` of a (ad, window, slot) is that slot's truth; equal versions are equal bytes. Totals are the sum over slots.
 */
export type AdStats = {
  readonly ad_id: string;
  /** Epoch ms, inclusive. */
  readonly window_start: number;
  /** Epoch ms, exclusive. */
  readonly window_end: number;
  /** Source partition. */
  readonly slot: number;
  /** jobEpoch << 48 | w (protocol 2.2). */
  readonly version: bigint;
  readonly status: "early" | "final" | "corrected";
  readonly count: number;
  readonly total_clicks: number;
  readonly total_views: number;
  readonly total_cost: number;
  /** Epoch ms. */
  readonly max_event_time: number;
  /** Highest Kafka timestamp of the slot's records, epoch ms; -1 where none had one. */
  readonly max_record_time: number;
};

export const adStatsShape: ResultShape = {
  record: "AdStats",
  doc: "One revision of one slot of one (ad, window). The highest version of a slot wins; totals are sums over slots.",
  key: "ad_id",
  figures: [
    { name: "total_clicks", type: "long", combine: "sum" },
    { name: "total_views", type: "long", combine: "sum" },
    { name: "total_cost", type: "double", combine: "sum" },
  ],
  ratios: [
    { name: "avg_clicks", of: "total_clicks", per: "count", otherwise: 0 },
    { name: "avg_views", of: "total_views", per: "count", otherwise: 0 },
    { name: "avg_cost", of: "total_cost", per: "count", otherwise: 0 },
    // null when nobody viewed.
    { name: "avg_cost_per_view", of: "total_cost", per: "total_views", otherwise: null },
  ],
};

/** Avro schema of `AdStats`, for the registry. */
export const adStatsSchema: string = resultSchema(adStatsShape);
