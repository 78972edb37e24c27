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

/**
 * Headers of a dead letter sent to the events topic again (`pnpm dlq redrive`). They make the log its own ledger: a letter
 * whose origin a record names has been redriven. Origins are written `topic/partition/offset`.
 */
export const redriveHeaders = {
  /** Of the letter that this record was made of. */
  origin: "adstream.redrive.origin",
  /** The same after the first redrive; later ones keep it. */
  firstOrigin: "adstream.redrive.first_origin",
  /** 1 at the first redrive. */
  count: "adstream.redrive.count",
} as const;

/** An origin as redrive headers write it; topic names hold no slash. */
export function redriveOrigin(topic: string, partition: number, offset: number): string {
  return `${topic}/${partition}/${offset}`;
}
