import avro, { type Type } from "avsc";
import type { Event } from "./event.ts";

export type RegistryAddress = {
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
};

/** Reads Confluent-framed Avro; undefined for what nobody can read. An unreachable registry is an error. */
export function eventDecoder(
  registry: RegistryAddress,
): (value: Buffer | null) => Promise<Event | undefined> {
  const types = new Map<number, Promise<Type | undefined>>();
  return async (value) => {
    if (value === null || value.length < 5 || value[0] !== 0) return undefined;
    const id = value.readUInt32BE(1);
    const known = types.get(id) ?? fetchType(registry, id);
    types.set(id, known);
    const type = await known;
    if (type === undefined) return undefined;
    try {
      return eventOf(type.fromBuffer(value.subarray(5)));
    } catch {
      return undefined;
    }
  };
}

async function fetchType(
  { url, username, password }: RegistryAddress,
  id: number,
): Promise<Type | undefined> {
  const credentials = Buffer.from(`${username}:${password}`).toString("base64");
  const headers: Record<string, string> =
    username === undefined ? {} : { authorization: `Basic ${credentials}` };
  const response = await fetch(`${url.replace(/\/$/, "")}/schemas/ids/${id}`, { headers });
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error(`registry answers ${response.status} for schema id ${id}`);
  const body: unknown = await response.json();
  const schema = String(isObject(body) ? body["schema"] : undefined);
  return avro.Type.forSchema(JSON.parse(schema, stringsAsBytes));
}

/** Both have one encoding, and avsc would replace broken UTF-8 where we want to see it. */
function stringsAsBytes(key: string, value: unknown): unknown {
  return value === "string" && /^(type|items|values|\d*)$/.test(key) ? "bytes" : value;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function eventOf(value: unknown): Event | undefined {
  if (!isObject(value)) return undefined;
  const { ad_id, timestamp, clicks, views, cost, event_id } = value;
  if (!(ad_id instanceof Uint8Array)) return undefined;
  return {
    adId: utf8.decode(ad_id),
    time: Number(timestamp),
    clicks: Number(clicks),
    views: Number(views),
    cost: Number(cost),
    // Only compared: whatever bytes it has.
    eventId: event_id instanceof Uint8Array ? Buffer.from(event_id).toString("latin1") : undefined,
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object";
}
