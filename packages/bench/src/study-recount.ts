import { type AdInteraction, adInteractionSchema } from "@adstream/contracts/ad-interaction";
import { avroCodec } from "@adstream/kafka/avro-codec";
import type { StudyFormat } from "./study-options.ts";

/** Windows of the study, one behind the other. */
export const studyWindowMs = 10_000;

/** One (window, campaign), as anybody counts it. */
export type CampaignSums = { views: number; clicks: number; purchases: number };

/** What the raw topic holds, counted the naive way and apart from all code under test. */
export type Recount = {
  readonly events: number;
  /** `cellKey` -> counts. */
  readonly sums: ReadonlyMap<string, CampaignSums>;
  /** `cellKey` -> highest produce time of its events, epoch ms. */
  readonly lastSentMs: ReadonlyMap<string, number>;
  /** How late each event was sent, in whole ms behind its event time. */
  readonly sentLateMs: Float64Array;
};

export function cellKey(windowStartMs: number, campaignId: string): string {
  return `${windowStartMs}/${campaignId}`;
}

export function windowOf(key: string): number {
  return Number(key.slice(0, key.indexOf("/")));
}

type Counted = Pick<AdInteraction, "campaign_id" | "event_type" | "produce_time"> & {
  /** JSON's is a number, to 256 ns: it never leaves its window, and hardly its millisecond. */
  readonly event_time_ns: number | bigint;
};

const frameBytes = 5;
const figureOf = { view: "views", click: "clicks", purchase: "purchases" } as const;

export function openRecount(format: StudyFormat): {
  add(value: Buffer): void;
  done(): Recount;
} {
  const decode = decoder(format);
  const sums = new Map<string, CampaignSums>();
  const lastSentMs = new Map<string, number>();
  const late: number[] = [];
  return {
    add(value) {
      const { campaign_id, event_type, event_time_ns, produce_time } = decode(value);
      const eventMs = Number(BigInt(event_time_ns) / 1_000_000n);
      const key = cellKey(eventMs - (eventMs % studyWindowMs), campaign_id);
      const known = sums.get(key) ?? { views: 0, clicks: 0, purchases: 0 };
      known[figureOf[event_type]]++;
      sums.set(key, known);
      lastSentMs.set(key, Math.max(produce_time, lastSentMs.get(key) ?? 0));
      late.push(produce_time - eventMs);
    },
    done: () => ({
      events: late.length,
      sums,
      lastSentMs,
      sentLateMs: Float64Array.from(late),
    }),
  };
}

function decoder(format: StudyFormat): (value: Buffer) => Counted {
  if (format === "json") return (value) => JSON.parse(value.toString());
  const { decode } = avroCodec(adInteractionSchema, { bigintFields: ["event_time_ns"] });
  return (value) => ({
    campaign_id: "",
    event_type: "view",
    event_time_ns: 0n,
    produce_time: 0,
    ...Object(decode(value.subarray(frameBytes))),
  });
}
