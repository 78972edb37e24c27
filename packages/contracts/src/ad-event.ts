import { readFileSync } from "node:fs";

/** Text of the root `schema.avsc`: what producers register and consumers resolve writers against. */
export const adEventSchema: string = readFileSync(
  new URL("../../../schema.avsc", import.meta.url),
  "utf8",
);

/** One ad event, decoded; the fields of `schema.avsc`. */
export type AdEvent = {
  readonly ad_id: string;
  /** Event time, epoch ms. */
  readonly timestamp: number;
  readonly clicks: number;
  readonly views: number;
  readonly cost: number;
  readonly event_id: string | null;
};
