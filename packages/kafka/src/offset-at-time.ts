import { StreamError } from "@adstream/engine/errors";
import { connectOnce, type KafkaConnection } from "./connection.ts";
import { toStreamError } from "./error-map.ts";

/**
 * Offset of the first record at or after `epochMs`, by the records' Kafka timestamps; the end of the log where there is
 * none.
 *
 * @throws {StreamError} SERVER_UNAVAILABLE (retry), TOPIC_MISSING, NOT_AUTHORIZED
 */
export async function offsetAtTime(
  kafka: KafkaConnection,
  topic: string,
  partition: number,
  epochMs: number,
): Promise<number> {
  const admin = kafka.admin();
  try {
    await connectOnce(() => admin.connect(), kafka);
    const offsets = await admin.fetchTopicOffsetsByTimestamp(topic, epochMs);
    const found = offsets.find((one) => one.partition === partition);
    if (found !== undefined) return Number(found.offset);
    throw new StreamError("TOPIC_MISSING", "stop", `${topic} has no partition ${partition}`);
  } catch (error) {
    throw toStreamError(error, `finding an offset of ${topic}`);
  } finally {
    await admin.disconnect();
  }
}
