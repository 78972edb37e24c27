import type { AdEvent } from "@adstream/contracts/ad-event";

/** Every way a record can be bad (design section 3), as the producer makes them. */
export const flaws = [
  "short frame",
  "wrong magic byte",
  "unknown schema id",
  "truncated value",
  "cost is no number",
  "negative clicks",
  "far future",
  "empty ad id",
  "null value",
] as const;
export type Flaw = (typeof flaws)[number];

/** Frames a payload with a schema id; encodes an event. */
export type Encoder = {
  readonly schemaId: number;
  readonly encode: (event: AdEvent) => Uint8Array;
  readonly frame: (schemaId: number, payload: Uint8Array) => Uint8Array;
};

/** Registries count up from 1; none gets here. */
export const unknownSchemaId = 2_000_000_000;
/** Beyond every MAX_FUTURE. */
const farFutureMs = 365 * 86_400_000;

/** The value of an event, with that flaw. */
export function spoiled(event: AdEvent, flaw: Flaw, encoder: Encoder): Uint8Array | null {
  return spoilers[flaw](event, encoder);
}

function framed(event: AdEvent, { schemaId, encode, frame }: Encoder): Uint8Array {
  return frame(schemaId, encode(event));
}

const spoilers: Record<Flaw, (event: AdEvent, encoder: Encoder) => Uint8Array | null> = {
  "short frame": (event, encoder) => framed(event, encoder).slice(0, 3),
  "wrong magic byte"(event, encoder) {
    const bytes = Uint8Array.from(framed(event, encoder));
    bytes[0] = 1;
    return bytes;
  },
  "unknown schema id": (event, { encode, frame }) => frame(unknownSchemaId, encode(event)),
  "truncated value"(event, { schemaId, encode, frame }) {
    const payload = encode(event);
    return frame(schemaId, payload.subarray(0, payload.length >> 1));
  },
  "cost is no number": (event, encoder) => framed({ ...event, cost: Number.NaN }, encoder),
  "negative clicks": (event, encoder) => framed({ ...event, clicks: -1 }, encoder),
  "far future": (event, encoder) =>
    framed({ ...event, timestamp: event.timestamp + farFutureMs }, encoder),
  "empty ad id": (event, encoder) => framed({ ...event, ad_id: "" }, encoder),
  "null value": () => null,
};
