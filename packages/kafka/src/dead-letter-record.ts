import { createHash } from "node:crypto";
import { deadLetterHeaders } from "@adstream/contracts/dead-letter";
import { type OutgoingRecord, recordBytes } from "./outgoing-records.ts";
import { frameSchemaId } from "./wire-format.ts";

/** A record that is set aside, as it was in its topic; (topic, partition, offset) identifies it for ever. */
export type DeadLetter = {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Kafka timestamp of the record, epoch ms, -1 where it has none. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly reason: string;
};

/** Above it a dead letter keeps only size and digest of its value (protocol 2.6). */
const maxDeadLetterBytes = 900 * 1024;

/** The letter as a record for `topic`: key and value as they were, the rest in headers. */
export function deadLetterRecord(topic: string, letter: DeadLetter): OutgoingRecord {
  const { key, value, offset, partition, timestamp, reason } = letter;
  const headers: Record<string, string> = {
    [deadLetterHeaders.topic]: letter.topic,
    [deadLetterHeaders.partition]: String(partition),
    [deadLetterHeaders.offset]: String(offset),
    [deadLetterHeaders.timestamp]: String(timestamp),
    [deadLetterHeaders.reason]: reason,
  };
  const schemaId = value === null ? -1 : frameSchemaId(value, 0, value.length);
  if (schemaId >= 0) headers[deadLetterHeaders.schemaId] = String(schemaId);
  // Every record needs a key (K2); one without is keyed by where it came from.
  const place = `${letter.topic}-${partition}-${offset}`;
  const keyed = key ?? place;
  const whole = { topic, key: keyed, value, headers };
  if (value === null || recordBytes(whole) <= maxDeadLetterBytes) return whole;
  headers[deadLetterHeaders.valueBytes] = String(value.length);
  headers[deadLetterHeaders.valueSha256] = createHash("sha256").update(value).digest("hex");
  return { topic, key: keyed.length > maxDeadLetterBytes ? place : keyed, value: null, headers };
}
