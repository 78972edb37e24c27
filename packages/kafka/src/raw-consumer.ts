import type { Consumer } from "kafkajs";

import { clientRetry, type KafkaConnection } from "./connection.ts";

export type RawConsumerOptions = {
  readonly groupId: string;
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly fetchPaceMs?: number;
  readonly onBeforeJoin: () => Promise<void>;
};

/** An idle member notices a rebalance this much late: kafkajs sends heartbeats between fetches. */
const maxFetchWaitMs = 100;
/** With the pace a fetch costs 2.6 to 3.5 CPU seconds per million records of a trickle, instead of 9. */
const defaultFetchPaceMs = 10;
const maxPartitionBytes = 512 * 1024;
const maxFetchBytes = 8 * 1024 * 1024;
const newPartitionsSeenWithinMs = 60_000;

/** A kafkajs consumer of raw record batches (patches/kafkajs), not connected yet. */
export function createRawConsumer(kafka: KafkaConnection, options: RawConsumerOptions): Consumer {
  const { groupId, sessionTimeoutMs, heartbeatMs, rebalanceTimeoutMs, onBeforeJoin } = options;
  return kafka.consumer({
    groupId,
    sessionTimeout: sessionTimeoutMs,
    heartbeatInterval: heartbeatMs,
    rebalanceTimeout: rebalanceTimeoutMs,
    maxWaitTimeInMs: maxFetchWaitMs,
    minBytes: 1,
    maxBytesPerPartition: maxPartitionBytes,
    maxBytes: maxFetchBytes,
    metadataMaxAge: newPartitionsSeenWithinMs,
    allowAutoTopicCreation: false,
    rawBatches: true,
    fetchPaceMs: options.fetchPaceMs ?? defaultFetchPaceMs,
    onBeforeJoin,
    // A restart inside of kafkajs is not cancelled by disconnect and forgets pauses: a new process is the restart.
    retry: { ...clientRetry, restartOnFailure: () => Promise.resolve(false) },
  });
}
