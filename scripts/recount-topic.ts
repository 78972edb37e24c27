import { randomUUID } from "node:crypto";

import avro, { type Type } from "avsc";
import { type Admin, type Batch, Kafka, type KafkaConfig, logLevel } from "kafkajs";

export type RegistryAddress = {
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
};

export type TopicOptions = {
  readonly kafka: KafkaConfig;
  readonly topic: string;
  /** Gives up when nothing was read for so long; 30 s when left out. */
  readonly stallMs?: number;
};

export type Event = {
  readonly adId: string;
  /** Epoch ms. */
  readonly time: number;
  readonly clicks: number;
  readonly views: number;
  readonly cost: number;
};

export type RawRecord = Batch["messages"][number];

/** Every record from the low watermarks to the high watermarks of now, in offset order within a partition. */
export async function readTopic(
  { kafka: config, topic, stallMs = 30_000 }: TopicOptions,
  each: (partition: number, record: RawRecord) => Promise<void>,
): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const kafka = new Kafka({ logLevel: logLevel.NOTHING, ...config });
  const admin = opened.adopt(kafka.admin(), (client) => client.disconnect());
  await admin.connect();
  const ends = await endsOf(admin, topic);
  if (ends.size === 0) return;
  const groupId = `adstream-recount-${randomUUID()}`;
  const consumer = opened.adopt(
    kafka.consumer({
      groupId,
      maxWaitTimeInMs: 100,
      retry: { restartOnFailure: async () => false },
    }),
    async (client) => {
      await client.disconnect();
      await admin.deleteGroups([groupId]).catch(() => {});
    },
  );
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  const stalled = (): void => reject(new Error(`${topic} stalled before ${describeEnds(ends)}`));
  let timer = setTimeout(stalled, stallMs);
  using _timer = { [Symbol.dispose]: () => clearTimeout(timer) };
  consumer.on("consumer.crash", ({ payload }) => reject(payload.error));
  await consumer.run({
    autoCommit: false,
    async eachBatch(payload) {
      const { batch } = payload;
      clearTimeout(timer);
      timer = setTimeout(stalled, stallMs);
      const end = ends.get(batch.partition);
      if (end === undefined) return;
      for (const record of batch.messages) {
        if (Number(record.offset) < end) await each(batch.partition, record);
      }
      await payload.heartbeat();
      if (Number(batch.lastOffset()) + 1 >= end) ends.delete(batch.partition);
      if (ends.size === 0) resolve();
    },
  });
  await done;
}

/** High watermarks of the partitions that hold something. */
async function endsOf(admin: Admin, topic: string): Promise<Map<number, number>> {
  const offsets = await admin.fetchTopicOffsets(topic);
  const filled = offsets.filter(({ low, high }) => BigInt(high) > BigInt(low));
  return new Map(filled.map(({ partition, high }) => [partition, Number(high)]));
}

function describeEnds(ends: ReadonlyMap<number, number>): string {
  return [...ends].map(([partition, end]) => `offset ${end} of partition ${partition}`).join(", ");
}

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
  const { ad_id, timestamp, clicks, views, cost } = value;
  if (!(ad_id instanceof Uint8Array)) return undefined;
  return {
    adId: utf8.decode(ad_id),
    time: Number(timestamp),
    clicks: Number(clicks),
    views: Number(views),
    cost: Number(cost),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object";
}
