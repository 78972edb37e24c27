import { avroReader } from "./avro-fields.ts";
import type { Event } from "./event.ts";
import type { Fields } from "./fields.ts";
import type { CountedJob } from "./jobs/job.ts";
import { jsonFields } from "./json-fields.ts";

export type RegistryAddress = {
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
};

export type EventValues = {
  readonly job: CountedJob;
  /** Avro in Confluent's frame, or plain JSON, which needs no registry. */
  readonly format: "avro" | "json";
  readonly registry: RegistryAddress;
  /** Reads the ids of events, too: one that is none spoils its event. */
  readonly withIds: boolean;
};

export type EventDecoder = (value: Buffer | null) => Promise<Event | undefined>;

/** Reads events of a job; undefined for what nobody can read. An unreachable registry is an error. */
export function eventDecoder({ job, format, registry, withIds }: EventValues): EventDecoder {
  const fieldsOf = format === "json" ? readJson : framedReader(registry);
  const idField = withIds ? job.eventId : undefined;
  return async (value) => {
    const read = value === null ? undefined : await fieldsOf(value);
    if (read === undefined) return undefined;
    try {
      const fields = read();
      const event = job.read(fields);
      return event && idField ? { ...event, eventId: fields.text(idField) } : event;
    } catch {
      return undefined;
    }
  };
}

/** undefined where nobody knows how to read a value; what is called throws where it is broken. */
type FieldsReader = (value: Buffer) => Promise<(() => Fields) | undefined>;

async function readJson(value: Buffer): Promise<() => Fields> {
  return () => jsonFields(value);
}

type Reader = ReturnType<typeof avroReader>;

function framedReader(registry: RegistryAddress): FieldsReader {
  const readers = new Map<number, Promise<Reader | undefined>>();
  return async (value) => {
    if (value.length < 5 || value[0] !== 0) return undefined;
    const id = value.readUInt32BE(1);
    const known = readers.get(id) ?? fetchReader(registry, id);
    readers.set(id, known);
    const reader = await known;
    return reader && (() => reader(value.subarray(5)));
  };
}

async function fetchReader(
  { url, username, password }: RegistryAddress,
  id: number,
): Promise<Reader | undefined> {
  const credentials = Buffer.from(`${username}:${password}`).toString("base64");
  const headers: Record<string, string> =
    username === undefined ? {} : { authorization: `Basic ${credentials}` };
  const response = await fetch(`${url.replace(/\/$/, "")}/schemas/ids/${id}`, { headers });
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error(`registry answers ${response.status} for schema id ${id}`);
  const body: unknown = await response.json();
  return avroReader(String(Reflect.get(Object(body), "schema")));
}
