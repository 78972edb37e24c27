import { adStatsSchema } from "@adstream/contracts/ad-stats";
import { avroCodec } from "@adstream/kafka/avro-codec";
import type { Admin, Kafka } from "kafkajs";
import { closingAd } from "./fill-topic.ts";
import { rowKey, type WindowSums } from "./oracle.ts";

/** What the processor published. */
export type Results = {
  /** The last version of each slot, summed per window; early ones are left out, they are not the last word. */
  readonly rows: ReadonlyMap<string, WindowSums>;
  /** Records on the topic. */
  readonly records: number;
  /** When the last of `rows` was in the log, epoch ms. */
  readonly lastAt: number;
};

/** One record of a results topic. */
export type ResultRecord = {
  /** When it was in the log, epoch ms. */
  readonly at: number;
  readonly version: bigint;
  readonly status: string;
  readonly count: number;
};

type Slot = {
  readonly version: bigint;
  readonly status: string;
  readonly key: string;
} & WindowSums;

const frameBytes = 5;
const { decode } = avroCodec(adStatsSchema, { bigintFields: ["version"] });

/** Reads a results topic to its end, as the sink would understand it. */
export async function readResults(kafka: Kafka, admin: Admin, topic: string): Promise<Results> {
  const slots = new Map<string, Slot>();
  let lastAt = 0;
  let records = 0;
  await readAll(kafka, admin, topic, (value, timestamp) => {
    records++;
    const { id, slot } = parse(value);
    if (slot === undefined) return;
    if (slot.status === "final") lastAt = Math.max(lastAt, timestamp);
    const known = slots.get(id);
    if (known === undefined || slot.version > known.version) slots.set(id, slot);
  });
  return { rows: sumSlots(slots), records, lastAt };
}

/** Every record of a results topic by `rowKey`, versions in order; of a topic whose ads have one slot each. */
export async function readResultRecords(
  kafka: Kafka,
  admin: Admin,
  topic: string,
): Promise<Map<string, ResultRecord[]>> {
  const records = new Map<string, ResultRecord[]>();
  await readAll(kafka, admin, topic, (value, at) => {
    const { slot } = parse(value);
    if (slot === undefined) return;
    const { key, version, status, count } = slot;
    const known = records.get(key);
    const record = { at, version, status, count };
    if (known === undefined) records.set(key, [record]);
    else known.push(record);
  });
  for (const known of records.values()) known.sort((a, b) => Number(a.version - b.version));
  return records;
}

function sumSlots(slots: ReadonlyMap<string, Slot>): Map<string, WindowSums> {
  const rows = new Map<string, WindowSums>();
  for (const { status, key, count, clicks, views, cost } of slots.values()) {
    if (status !== "final") continue;
    const row = rows.get(key) ?? { count: 0, clicks: 0, views: 0, cost: 0 };
    rows.set(key, {
      count: row.count + count,
      clicks: row.clicks + clicks,
      views: row.views + views,
      cost: row.cost + cost,
    });
  }
  return rows;
}

/** No slot for what belongs to a closing record. */
function parse(value: Buffer): { id: string; slot: Slot | undefined } {
  const fields = { ...Object(decode(value.subarray(frameBytes))) };
  const adId = String(fields.ad_id);
  const key = rowKey(Number(fields.window_start), adId);
  const id = `${key}/${fields.slot}`;
  if (adId === closingAd) return { id, slot: undefined };
  const slot: Slot = {
    key,
    version: BigInt(fields.version),
    status: String(fields.status),
    count: Number(fields.count),
    clicks: Number(fields.total_clicks),
    views: Number(fields.total_views),
    cost: Number(fields.total_cost),
  };
  return { id, slot };
}

/** Every record of a topic as far as it goes at the call, by the stock consumer. */
export async function readAll(
  kafka: Kafka,
  admin: Admin,
  topic: string,
  each: (value: Buffer, timestamp: number) => void,
): Promise<void> {
  const offsets = await admin.fetchTopicOffsets(topic);
  const ends = new Map(
    offsets
      .filter(({ low, high }) => low !== high)
      .map(({ partition, high }) => [partition, Number(high)]),
  );
  if (ends.size === 0) return;
  const consumer = kafka.consumer({ groupId: `${topic}-reader`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    const read = Promise.withResolvers<void>();
    consumer.on("consumer.crash", ({ payload }) => read.reject(payload.error));
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        for (const { value, timestamp } of batch.messages) {
          if (value !== null) each(value, Number(timestamp));
        }
        const end = ends.get(batch.partition) ?? 0;
        if (Number(batch.lastOffset()) + 1 >= end) ends.delete(batch.partition);
        if (ends.size === 0) read.resolve();
        await Promise.resolve();
      },
    });
    await read.promise;
  } finally {
    await consumer.disconnect();
  }
}
