import { expect, test } from "vitest";
import { flaws, unknownSchemaId, spoiled } from "../src/bad-records.ts";
import type { Flaw } from "../src/bad-records.ts";

const event = {
  ad_id: "ad_0001",
  timestamp: 1_000,
  clicks: 1,
  views: 2,
  cost: 0.5,
  event_id: null,
};
const schemaId = 258;

function frame(id: number, payload: Uint8Array): Uint8Array {
  const framed = Buffer.alloc(5 + payload.length);
  framed.writeUInt32BE(id, 1);
  framed.set(payload, 5);
  return framed;
}
function json(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value, (_, part) => (Number.isNaN(part) ? "NaN" : part)));
}
const encoder = { schemaId, encode: json, frame };
const good = frame(schemaId, json(event));

const expected: Record<Flaw, Uint8Array | null> = {
  "short frame": good.slice(0, 3),
  "wrong magic byte": Buffer.concat([Buffer.from([1]), good.subarray(1)]),
  "unknown schema id": frame(unknownSchemaId, json(event)),
  "truncated value": frame(schemaId, json(event).subarray(0, json(event).length >> 1)),
  "cost is no number": frame(schemaId, json({ ...event, cost: "NaN" })),
  "negative clicks": frame(schemaId, json({ ...event, clicks: -1 })),
  "far future": frame(schemaId, json({ ...event, timestamp: 1_000 + 365 * 86_400_000 })),
  "empty ad id": frame(schemaId, json({ ...event, ad_id: "" })),
  "null value": null,
};

test.each(flaws)("%s", (flaw) => {
  const value = spoiled(event, flaw, encoder);
  expect(value && Buffer.from(value)).toEqual(expected[flaw] && Buffer.from(expected[flaw]));
});
