/*
 * OffsetCommit (8), versions 2-7.
 * Request:  group_id string, generation int32, member_id string, retention_ms int64 (to v4),
 *           group_instance_id nullable_string (v7),
 *           [topic string, [partition int32, offset int64, leader_epoch int32 (v6), metadata nullable_string]]
 * Response: throttle_ms int32 (v3), [topic string, [partition int32, error int16]]
 */
import { endpoint, readPerTopic, targetsOf, writePerTopic } from "./api.ts";
import type { Endpoint } from "./api.ts";
import { ErrorCode } from "./error-codes.ts";

/** Kafka's offset.metadata.max.bytes. */
const MAX_METADATA_BYTES = 4096;

export const offsetCommit: Endpoint = endpoint({
  key: 8,
  name: "OffsetCommit",
  minVersion: 2,
  maxVersion: 7,
  read(input, version) {
    const groupId = input.string();
    const generation = input.int32();
    const memberId = input.string();
    if (version <= 4) input.int64();
    const instanceId = version >= 7 ? input.nullableString() : null;
    const topics = readPerTopic(input, () => {
      const partition = input.int32();
      const offset = input.int64();
      if (version >= 6) input.int32();
      return { partition, offset, metadata: input.string() };
    });
    return { groupId, speaker: { memberId, instanceId, generation }, topics };
  },
  targets: ({ topics }) => targetsOf(topics),
  answer({ groupId, speaker, topics }, { out, version, broker, injected }) {
    const { groups } = broker;
    const stranger = speaker.generation < 0 ? 0 : ErrorCode.illegalGeneration;
    const group = groups.get(groupId);
    const refusal = group === undefined ? stranger : group.commitRefusal(speaker);
    if (version >= 3) out.int32(0);
    writePerTopic(out, topics, ({ partition, offset, metadata }, topic) => {
      const known = broker.topics.partition(topic, partition) !== undefined;
      const tooLarge = Buffer.byteLength(metadata) > MAX_METADATA_BYTES;
      const error =
        injected(topic, partition) ||
        (known ? 0 : ErrorCode.unknownTopicOrPartition) ||
        refusal ||
        (tooLarge ? ErrorCode.offsetMetadataTooLarge : 0);
      if (error === 0) groups.offsets.commit(groupId, topic, partition, { offset, metadata });
      out.int32(partition).int16(error);
    });
  },
});
