import { Partitioners, type ICustomPartitioner, type Producer } from "kafkajs";

import { clientRetry, type KafkaConnection } from "./connection.ts";
import { keyPartition } from "./key-partition.ts";

export const metadataMaxAgeMs = 60_000;

/** kafkajs' producer, which is exact as long as it has one send in flight and every record a key. */
export function idempotentProducer(kafka: KafkaConnection): Producer {
  return kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    metadataMaxAge: metadataMaxAgeMs,
    createPartitioner: partitionByKey,
    // Of an idempotent producer kafkajs wants retries without end; the deadline is ours.
    retry: { ...clientRetry, retries: Number.MAX_SAFE_INTEGER },
  });
}

/** Java's: the same key goes to the same partition whoever produces. */
const partitionByKey: ICustomPartitioner = () => {
  const otherwise = Partitioners.DefaultPartitioner();
  return (record) => {
    const { key } = record.message;
    return Buffer.isBuffer(key)
      ? keyPartition(key, record.partitionMetadata.length)
      : otherwise(record);
  };
};
