import type { Message, TopicMessages } from "kafkajs";

/** A record to publish. The key is mandatory: retries of keyless records go to other partitions, where nobody sees that they are repeats. */
export type OutgoingRecord = {
  readonly topic: string;
  readonly key: Uint8Array | string;
  readonly value: Uint8Array | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Epoch ms; now when absent. */
  readonly timestamp?: number;
};

/** Lengths, deltas and attributes of a record, at their longest. */
const recordOverheadBytes = 32;
const headerOverheadBytes = 10;

/** Size in a record batch, at most. Keys given as text count as if each character took three bytes. */
export function recordBytes({ key, value, headers }: OutgoingRecord): number {
  const keyBytes = typeof key === "string" ? key.length * 3 : key.length;
  let sizeBytes = recordOverheadBytes + keyBytes + (value?.length ?? 0);
  if (headers === undefined) return sizeBytes;
  for (const [name, text] of Object.entries(headers)) {
    sizeBytes += headerOverheadBytes + (name.length + text.length) * 3;
  }
  return sizeBytes;
}

/** As kafkajs wants them: one list per topic, in the order given. */
export function toTopicMessages(records: readonly OutgoingRecord[]): TopicMessages[] {
  const byTopic = new Map<string, Message[]>();
  for (const record of records) {
    const messages = byTopic.get(record.topic);
    if (messages === undefined) byTopic.set(record.topic, [toMessage(record)]);
    else messages.push(toMessage(record));
  }
  return [...byTopic].map(([topic, messages]) => ({ topic, messages }));
}

function toMessage({ key, value, headers, timestamp }: OutgoingRecord): Message {
  const message: Message = {
    key: typeof key === "string" ? Buffer.from(key) : asBuffer(key),
    value: value === null ? null : asBuffer(value),
  };
  if (headers !== undefined) message.headers = { ...headers };
  if (timestamp !== undefined) message.timestamp = String(timestamp);
  return message;
}

/** The same bytes: kafkajs takes other typed arrays for text. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
