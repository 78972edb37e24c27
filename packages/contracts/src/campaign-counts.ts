import { resultSchema, type ResultShape } from "./result-shape.ts";

/** A result of campaign-counts: one revision of one slot of one (campaign, window). */
export type CampaignCounts = {
  readonly campaign_id: string;
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
  readonly views: number;
  readonly clicks: number;
  readonly purchases: number;
  /** Epoch ms. */
  readonly max_event_time: number;
  /** Highest Kafka timestamp of the slot's records, epoch ms; -1 where none had one. */
  readonly max_record_time: number;
  /** When the producer sent the last of them, epoch ms. */
  readonly max_produce_time: number;
};

export const campaignCountsShape: ResultShape = {
  record: "CampaignCounts",
  doc: "One revision of one slot of one (campaign, window). The highest version of a slot wins; totals are sums over slots, and the highest of times.",
  key: "campaign_id",
  figures: [
    { name: "views", type: "long", combine: "sum" },
    { name: "clicks", type: "long", combine: "sum" },
    { name: "purchases", type: "long", combine: "sum" },
    { name: "max_produce_time", type: "long", combine: "max" },
  ],
  ratios: [],
};

/** Avro schema of `CampaignCounts`, for the registry. */
export const campaignCountsSchema: string = resultSchema(campaignCountsShape);
