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

const long = "long";
const time = { type: "long", logicalType: "timestamp-millis" };

/** Avro schema of `AdStats`, for the registry. */
export const adStatsSchema: string = JSON.stringify({
  type: "record",
  name: "AdStats",
  namespace: "adstream",
  doc: "One revision of one slot of one (ad, window). The highest version of a slot wins; totals are sums over slots.",
  fields: [
    { name: "ad_id", type: "string" },
    { name: "window_start", type: time },
    { name: "window_end", type: time },
    { name: "slot", type: "int" },
    { name: "version", type: long },
    {
      name: "status",
      type: { type: "enum", name: "Status", symbols: ["early", "final", "corrected"] },
    },
    { name: "count", type: long },
    { name: "total_clicks", type: long },
    { name: "total_views", type: long },
    { name: "total_cost", type: "double" },
    { name: "max_event_time", type: time },
    { name: "max_record_time", type: long },
  ],
});
