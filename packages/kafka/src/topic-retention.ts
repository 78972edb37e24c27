import type { KafkaConnection } from "./connection.ts";
import type { Log } from "./kafkajs-log.ts";
import { describeTopics } from "./topics.ts";

/** What topics without a setting of their own keep, unless the broker was told otherwise: seven days. */
const defaultMs = 604_800_000;

/**
 * How long the topic keeps its records, ms; Infinity: for ever. Where the settings may not be read it is taken for
 * Kafka's default, since the only use is to stop or warn in time.
 */
export async function retentionOf(
  kafka: KafkaConnection,
  topic: string,
  log: Pick<Log, "warn">,
): Promise<number> {
  try {
    const [description] = await describeTopics(kafka, [topic]);
    return parseRetention(description?.config["retention.ms"]);
  } catch (error) {
    log.warn({ topic, err: error }, "retention of the topic cannot be read, taken to be 7 days");
    return defaultMs;
  }
}

/** -1 is Kafka's word for ever. */
export function parseRetention(setting: string | undefined): number {
  if (setting === undefined) return defaultMs;
  const ms = Number(setting);
  return ms >= 0 ? ms : Number.POSITIVE_INFINITY;
}
