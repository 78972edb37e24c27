import type { Batch, Consumer } from "kafkajs";

import { clientRetry, type KafkaConnection } from "./connection.ts";
import type { FrameBuffers } from "./frame-buffers.ts";

export type RawConsumerOptions = {
  readonly groupId: string;
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly rebalanceTimeoutMs: number;
  /** Least distance of the starts of two fetches of which the first brings little; asked before each. */
  readonly fetchPaceMs?: () => number;
  readonly onBeforeJoin: () => Promise<void>;
  /** Nobody holds a view of a batch when its handler is done with it: the memory is used again. */
  readonly reuseBuffers?: boolean;
};

/** An idle member notices a rebalance this much late: kafkajs sends heartbeats between fetches. */
const maxFetchWaitMs = 100;
/** With the pace a fetch costs 2.6 to 3.5 CPU seconds per million records of a trickle, instead of 9. */
const defaultFetchPaceMs = (): number => 10;
/** Of one partition. Whoever keeps batches keeps all of their fetch. */
const maxPartitionBytes = 512 * 1024;
/** Where nobody does: a fetch costs, besides its bytes, as much as some 4,000 records. */
const maxReusedPartitionBytes = 2 * 1024 * 1024;
const maxFetchBytes = 8 * 1024 * 1024;
const newPartitionsSeenWithinMs = 60_000;

/** A kafkajs consumer of raw record batches (patches/kafkajs), not connected yet. */
export function createRawConsumer(kafka: KafkaConnection, options: RawConsumerOptions): Consumer {
  const { groupId, sessionTimeoutMs, heartbeatMs, rebalanceTimeoutMs, onBeforeJoin } = options;
  const { reuseBuffers = false } = options;
  return kafka.consumer({
    groupId,
    sessionTimeout: sessionTimeoutMs,
    heartbeatInterval: heartbeatMs,
    rebalanceTimeout: rebalanceTimeoutMs,
    maxWaitTimeInMs: maxFetchWaitMs,
    minBytes: 1,
    maxBytesPerPartition: reuseBuffers ? maxReusedPartitionBytes : maxPartitionBytes,
    maxBytes: maxFetchBytes,
    metadataMaxAge: newPartitionsSeenWithinMs,
    allowAutoTopicCreation: false,
    rawBatches: true,
    fetchPaceMs: options.fetchPaceMs ?? defaultFetchPaceMs,
    onBeforeJoin,
    ...(reuseBuffers ? { onFetchDone: (batches) => release(batches, kafka.buffers) } : {}),
    // A restart inside of kafkajs is not cancelled by disconnect and forgets pauses: a new process is the restart.
    retry: { ...clientRetry, restartOnFailure: () => Promise.resolve(false) },
  });
}

/** All batches of a response are views of one frame. */
function release(batches: readonly Batch[], buffers: FrameBuffers): void {
  for (const { messages } of batches) {
    for (const { value } of messages) if (value !== null) buffers.release(value.buffer);
  }
}
