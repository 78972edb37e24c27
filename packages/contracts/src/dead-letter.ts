/**
 * Headers of a record on the dead-letter and late topics. Key and value are the raw bytes of the original; all header
 * values are text. (topic, partition, offset) identifies a dead letter: after a crash it may appear twice.
 */
export const deadLetterHeaders = {
  topic: "adstream.topic",
  partition: "adstream.partition",
  offset: "adstream.offset",
  /** Absent where the value is too short to hold one. */
  schemaId: "adstream.schema_id",
  reason: "adstream.reason",
  /** Kafka timestamp of the original, epoch ms. */
  timestamp: "adstream.timestamp",
  /** Size and SHA-256 of a value that was too large to keep. */
  valueBytes: "adstream.value_bytes",
  valueSha256: "adstream.value_sha256",
} as const;
