import { campaignCountsSchema } from "@adstream/contracts/campaign-counts";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { cellKey, type CampaignSums } from "./study-recount.ts";

/** One record of the results topic: a revision of one slot of a (window, campaign). */
export type StudyResult = CampaignSums & {
  /** `cellKey`. */
  readonly key: string;
  readonly slot: number;
  readonly version: bigint;
  readonly status: string;
  readonly count: number;
  /** When it was in the log, epoch ms. */
  readonly at: number;
};

const frameBytes = 5;
const { decode } = avroCodec(campaignCountsSchema, { bigintFields: ["version"] });

/** @param at Kafka timestamp, epoch ms */
export function studyResult(value: Buffer, at: number): StudyResult {
  const fields = { ...Object(decode(value.subarray(frameBytes))) };
  return {
    key: cellKey(Number(fields.window_start), String(fields.campaign_id)),
    slot: Number(fields.slot),
    version: BigInt(fields.version),
    status: String(fields.status),
    count: Number(fields.count),
    views: Number(fields.views),
    clicks: Number(fields.clicks),
    purchases: Number(fields.purchases),
    at,
  };
}
