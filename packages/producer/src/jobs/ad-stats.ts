import { adEventSchema } from "@adstream/contracts/ad-event";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { frame, writeFrame } from "@adstream/kafka/wire-format";
import { adEvents } from "../ad-events.ts";
import { spoiled } from "../bad-records.ts";
import { trafficSettings } from "../config.ts";
import { requireSound } from "../sound-event.ts";
import type { TrafficJob } from "./job.ts";

/** Two ids of at most 256 bytes each, and numbers. */
const longestValueBytes = 1_024;

/** Ad events with clicks, views and cost, keyed by ad. */
export const adStats: TrafficJob = {
  schema: adEventSchema,
  open(config, schemaId = 0) {
    const next = adEvents(trafficSettings(config));
    const { encode, encodeInto } = avroCodec(adEventSchema);
    const value = Buffer.alloc(longestValueBytes);
    const payloadStart = writeFrame(value, schemaId);
    const keyOf = keys();
    return (blocks, { dueMs }, tally) => {
      const emission = next(Math.floor(dueMs));
      const { event, flaw } = emission;
      const key = keyOf(event.ad_id);
      if (flaw === undefined) {
        requireSound(event);
        blocks.append(key, value, encodeInto(event, value, payloadStart));
      } else blocks.append(key, spoiled(event, flaw, { schemaId, encode, frame }));
      tally.add(emission);
    };
  },
};

/** Keys are made once, of so many ads at most. */
const keyedAds = 100_000;

function keys(): (adId: string) => Buffer {
  const known = new Map<string, Buffer>();
  return (adId) => {
    const key = known.get(adId) ?? Buffer.from(adId);
    if (known.size < keyedAds) known.set(adId, key);
    return key;
  };
}
