import type { Kafka, KafkaConfig } from "kafkajs";
import { kafkaClient, openRawTopic, type RawRecord, topicSpans } from "./raw-topic.ts";

export type TopicOptions = {
  readonly kafka: Kafka | KafkaConfig;
  readonly topic: string;
  /** Gives up when a partition brings nothing for so long; 30 s when left out. */
  readonly stallMs?: number;
};

/** Every record from the low watermarks to the high watermarks of now, in offset order within a partition. */
export async function readTopic(
  { kafka: given, topic, stallMs }: TopicOptions,
  each: (partition: number, record: RawRecord) => Promise<void>,
): Promise<void> {
  const kafka = kafkaClient(given);
  const spans = await topicSpans(kafka, topic);
  await using raw = await openRawTopic({ kafka, topic, spans, stallMs });
  const readers = [...raw.partitions].map(async ([partition, batches]) => {
    for await (const records of batches) {
      for (const record of records) await each(partition, record);
    }
  });
  await Promise.all(readers);
}
