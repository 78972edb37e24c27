/*
 * Produce (0), versions 3-7 (record batches only).
 * Request:  transactional_id nullable_string, acks int16, timeout_ms int32,
 *           [topic string, [partition int32, records bytes]]
 * Response: [topic string, [partition int32, error int16, base_offset int64, log_append_time int64,
 *           log_start_offset int64 (v5)]], throttle_ms int32
 * acks 0: no response. One batch per partition. zstd from v7 on.
 */
import { endpoint, readPerTopic, targetsOf, writePerTopic } from "./api.ts";
import type { Call, Endpoint } from "./api.ts";
import { ErrorCode } from "./error-codes.ts";
import { checkProduced, stampAppendTime } from "./record-batch.ts";
import type { BatchHeader } from "./record-batch.ts";
import { configValue } from "./topic-configs.ts";
import type { Partition, Topic } from "./topics.ts";

const ZSTD = 4;
const ZSTD_FROM = 7;

type Item = { readonly partition: number; readonly records: Buffer };
type Outcome = {
  readonly error: number;
  readonly baseOffset: number;
  readonly appendTimeMs: number;
};

export const produce: Endpoint = endpoint({
  key: 0,
  name: "Produce",
  minVersion: 3,
  maxVersion: 7,
  read(input) {
    input.nullableString();
    const acks = input.int16();
    input.int32();
    const topics = readPerTopic(input, () => ({
      partition: input.int32(),
      records: input.bytes(),
    }));
    return { acks, topics };
  },
  targets: ({ topics }) => targetsOf(topics),
  silent: ({ acks }) => acks === 0,
  answer({ acks, topics }, call) {
    const { out, version, broker } = call;
    writePerTopic(out, topics, (item, topic) => {
      const { error, baseOffset, appendTimeMs } = append(item, topic, acks, call);
      out.int32(item.partition).int16(error).int64(baseOffset).int64(appendTimeMs);
      if (version >= 5) out.int64(broker.topics.partition(topic, item.partition)?.log.start ?? -1);
    });
    out.int32(0);
  },
});

function append(item: Item, topicName: string, acks: number, call: Call): Outcome {
  const injected = call.injected(topicName, item.partition);
  if (injected !== 0) return refused(injected);
  if (acks < -1 || acks > 1) return refused(ErrorCode.invalidRequiredAcks);
  const topic = call.broker.topics.get(topicName);
  const partition = topic?.partitions[item.partition];
  if (topic === undefined || partition === undefined) {
    return refused(ErrorCode.unknownTopicOrPartition);
  }
  const checked = checkProduced(
    item.records,
    Number(configValue(topic.configs, "max.message.bytes")),
  );
  if ("error" in checked) return refused(checked.error);
  if (checked.header.compression === ZSTD && call.version < ZSTD_FROM) {
    return refused(ErrorCode.unsupportedCompressionType);
  }
  const verdict = partition.producers.judge(checked.header);
  if (verdict === "append")
    return appendChecked({ topic, partition }, item.records, checked.header, call);
  if ("error" in verdict) return refused(verdict.error);
  return { error: 0, baseOffset: verdict.duplicateOf, appendTimeMs: -1 };
}

function appendChecked(
  place: { readonly topic: Topic; readonly partition: Partition },
  records: Buffer,
  header: BatchHeader,
  call: Call,
): Outcome {
  const { configs } = place.topic;
  const nowMs = call.broker.clock.nowMs();
  const stamped = configValue(configs, "message.timestamp.type") === "LogAppendTime";
  const aheadMs = Number(configValue(configs, "message.timestamp.after.max.ms"));
  if (stamped) stampAppendTime(records, nowMs);
  else if (header.maxTimestamp - nowMs > aheadMs) return refused(ErrorCode.invalidTimestamp);
  const stored = stamped ? { ...header, maxTimestamp: nowMs } : header;
  const baseOffset = place.partition.log.append(records, stored);
  place.partition.producers.appended(stored, baseOffset);
  return { error: 0, baseOffset, appendTimeMs: stamped ? nowMs : -1 };
}

function refused(error: number): Outcome {
  return { error, baseOffset: -1, appendTimeMs: -1 };
}
