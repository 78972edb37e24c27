import type { KafkaConnection } from "@adstream/kafka/connection";
import { deadLetterRecord } from "@adstream/kafka/dead-letter-record";
import type { Log } from "@adstream/kafka/kafkajs-log";
import { openPublisher, type Publisher } from "@adstream/kafka/publisher";

import type { RefusedRecord } from "./intake-queue.ts";

export type DeadLetters = AsyncDisposable & {
  /**
   * Resolves when all are acknowledged.
   * @throws {StreamError} TOPIC_MISSING, PUBLISH_DEADLINE, NOT_AUTHORIZED
   * @throws the signal's reason when it aborts before a broker answers
   */
  publish(records: readonly RefusedRecord[], signal: AbortSignal): Promise<void>;
};

export type DeadLetterOptions = {
  readonly kafka: KafkaConnection;
  readonly log: Log;
  /** Where the records come from. */
  readonly topic: string;
  readonly deadLetterTopic: string;
};

/** Connects with the first dead letter: a healthy sink has none. */
export function createDeadLetters(options: DeadLetterOptions): DeadLetters {
  const { kafka, log, topic, deadLetterTopic } = options;
  let publisher: Publisher | undefined;
  return {
    async publish(records, signal) {
      publisher ??= await openPublisher({ kafka, log, signal });
      const letters = records.map((record) =>
        deadLetterRecord(deadLetterTopic, { topic, ...record }),
      );
      await publisher.publish(letters);
    },
    async [Symbol.asyncDispose]() {
      await publisher?.[Symbol.asyncDispose]();
    },
  };
}
