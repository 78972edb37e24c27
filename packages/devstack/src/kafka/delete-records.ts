/*
 * DeleteRecords (21), versions 0-1.
 * Request:  [topic string, [partition int32, offset int64]], timeout_ms int32
 * Response: throttle_ms int32, [topic string, [partition int32, low_watermark int64, error int16]]
 * offset -1: up to the high watermark. Only the log start moves; offsets are never given again.
 */
import { endpoint, readPerTopic, targetsOf, writePerTopic } from "./api.ts";
import type { Endpoint } from "./api.ts";
import { ErrorCode } from "./error-codes.ts";
import type { PartitionLog } from "./log.ts";

export const deleteRecords: Endpoint = endpoint({
  key: 21,
  name: "DeleteRecords",
  minVersion: 0,
  maxVersion: 1,
  read(input) {
    const topics = readPerTopic(input, () => ({ partition: input.int32(), offset: input.int64() }));
    return { topics };
  },
  targets: ({ topics }) => targetsOf(topics),
  answer({ topics }, { out, broker, injected }) {
    out.int32(0);
    writePerTopic(out, topics, ({ partition, offset }, topic) => {
      const log = broker.topics.partition(topic, partition)?.log;
      const error = injected(topic, partition) || remove(log, offset);
      out
        .int32(partition)
        .int64(error === 0 ? (log?.start ?? -1) : -1)
        .int16(error);
    });
    broker.topics.save();
  },
});

function remove(log: PartitionLog | undefined, offset: number): number {
  if (log === undefined) return ErrorCode.unknownTopicOrPartition;
  const before = offset === -1 ? log.highWatermark : offset;
  if (before < 0 || before > log.highWatermark) return ErrorCode.offsetOutOfRange;
  log.deleteBefore(before);
  return 0;
}
