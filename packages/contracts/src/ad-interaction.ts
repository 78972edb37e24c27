/** What an advertisement can be. */
export const adTypes = [
  "image",
  "video",
  "carousel",
  "text",
  "story",
  "shopping",
  "collection",
] as const;
export type AdType = (typeof adTypes)[number];

/** What somebody can do with it. */
export const eventTypes = ["view", "click", "purchase"] as const;
export type EventType = (typeof eventTypes)[number];

/** Windows that `window_id` counts. */
export const interactionWindowMs = 10_000;

/** What somebody did with an advertisement; as JSON or Avro, in this order of fields. */
export type AdInteraction = {
  readonly user_id: string;
  readonly page_id: string;
  readonly ad_id: string;
  readonly ad_type: AdType;
  readonly event_type: EventType;
  /** Event time, epoch ns; beyond what a number holds exactly. JSON has its digits, not a text. */
  readonly event_time_ns: bigint;
  /** Which tumbling window of `interactionWindowMs` holds the event, counted from the epoch. */
  readonly window_id: number;
  readonly ip_address: string;
  readonly campaign_id: string;
  /** When the producer sent it, epoch ms; later than the event time where the producer was behind. */
  readonly produce_time: number;
};

const string = "string";
const long = "long";

/** Avro schema of `AdInteraction`, for the registry. Types are strings, not enums: a new one breaks no reader. */
export const adInteractionSchema: string = JSON.stringify({
  type: "record",
  name: "AdInteraction",
  namespace: "adstream",
  doc: "What somebody did with an advertisement.",
  fields: [
    { name: "user_id", type: string },
    { name: "page_id", type: string },
    { name: "ad_id", type: string },
    { name: "ad_type", type: string },
    { name: "event_type", type: string },
    { name: "event_time_ns", type: long },
    { name: "window_id", type: long },
    { name: "ip_address", type: string },
    { name: "campaign_id", type: string },
    { name: "produce_time", type: { type: long, logicalType: "timestamp-millis" } },
  ],
});
