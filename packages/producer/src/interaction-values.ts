import { adInteractionSchema, interactionWindowMs } from "@adstream/contracts/ad-interaction";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { writeFrame } from "@adstream/kafka/wire-format";
import type { Drawn } from "./interactions.ts";
import type { Moment } from "./publish.ts";

/** @returns the Kafka value; the same bytes every time, overwritten by the next call */
export type InteractionWriter = (drawn: Drawn, at: Moment) => Uint8Array;

const longestValueBytes = 1_024;
const nsPerMs = 1_000_000;

/** As one line of JSON. All texts are plain ASCII without quotes, so nothing is escaped and a character is a byte. */
export function interactionJson(): InteractionWriter {
  const value = Buffer.alloc(longestValueBytes);
  return (drawn, { dueMs, sentMs }) => {
    const wholeMs = Math.floor(dueMs);
    const length = value.write(
      `{"user_id":"${drawn.user_id}","page_id":"${drawn.page_id}","ad_id":"${drawn.ad_id}",` +
        `"ad_type":"${drawn.ad_type}","event_type":"${drawn.event_type}",` +
        `"event_time_ns":${wholeMs}${sixDigits(dueMs - wholeMs)},` +
        `"window_id":${Math.floor(wholeMs / interactionWindowMs)},` +
        `"ip_address":"${drawn.ip_address}","campaign_id":"${drawn.campaign_id}",` +
        `"produce_time":${sentMs}}`,
      "latin1",
    );
    return value.subarray(0, length);
  };
}

/** In the registry's frame. */
export function interactionAvro(schemaId: number): InteractionWriter {
  const { encodeInto } = avroCodec(adInteractionSchema, { bigintFields: ["event_time_ns"] });
  const value = Buffer.alloc(longestValueBytes);
  const payloadStart = writeFrame(value, schemaId);
  return (drawn, { dueMs, sentMs }) => {
    const wholeMs = Math.floor(dueMs);
    const restNs = Math.floor((dueMs - wholeMs) * nsPerMs);
    const interaction = {
      ...drawn,
      event_time_ns: BigInt(wholeMs) * BigInt(nsPerMs) + BigInt(restNs),
      window_id: Math.floor(wholeMs / interactionWindowMs),
      produce_time: sentMs,
    };
    return value.subarray(0, encodeInto(interaction, value, payloadStart));
  };
}

/** A fraction of a millisecond as nanoseconds. */
function sixDigits(fraction: number): string {
  return String(nsPerMs + Math.floor(fraction * nsPerMs)).slice(1);
}
