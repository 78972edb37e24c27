import { adEventSchema } from "@adstream/contracts/ad-event";
import avro from "avsc";
import kafkajs from "kafkajs";
import { registerCodecs } from "./codecs.ts";
import { rowKey, type WindowSums } from "./oracle.ts";

/**
 * The consumer that everybody writes first, as a process of its own: kafkajs' eachBatch, avsc, a Map per (window, ad).
 * It has no checkpoints, lateness or results topic, and hands its rows to the parent at the end: all of that would make
 * it slower.
 */
const { KAFKA_BROKERS = "", EVENTS_TOPIC = "", GROUP = "", RECORDS = "0" } = process.env;
const sizeMs = 60_000;
const slideMs = 30_000;
const frameBytes = 5;

registerCodecs();
const type = avro.Type.forSchema(JSON.parse(adEventSchema));
const kafka = new kafkajs.Kafka({
  brokers: KAFKA_BROKERS.split(","),
  logLevel: kafkajs.logLevel.ERROR,
});
const consumer = kafka.consumer({ groupId: GROUP });
const rows = new Map<string, WindowSums>();
let records = 0;
const drained = Promise.withResolvers<void>();

await consumer.connect();
await consumer.subscribe({ topic: EVENTS_TOPIC, fromBeginning: true });
consumer.on("consumer.group_join", () => process.send?.({ at: Date.now(), joined: true }));
await consumer.run({
  eachBatch: async (payload) => {
    const { messages } = payload.batch;
    for (const { value } of messages) {
      if (value !== null) count(type.fromBuffer(value.subarray(frameBytes)));
    }
    records += messages.length;
    await payload.heartbeat();
    if (records >= Number(RECORDS)) drained.resolve();
  },
});
await drained.promise;
process.send?.({ at: Date.now(), records });
await consumer.disconnect();
process.send?.({ rows: [...rows] }, () => process.disconnect());

type Event = { ad_id: string; timestamp: number; clicks: number; views: number; cost: number };

function count(event: Event): void {
  const newest = Math.floor(event.timestamp / slideMs) * slideMs;
  for (let start = newest; start + sizeMs > event.timestamp; start -= slideMs) {
    const key = rowKey(start, event.ad_id);
    const sums = rows.get(key) ?? { count: 0, clicks: 0, views: 0, cost: 0 };
    sums.count += 1;
    sums.clicks += event.clicks;
    sums.views += event.views;
    sums.cost += event.cost;
    rows.set(key, sums);
  }
}
