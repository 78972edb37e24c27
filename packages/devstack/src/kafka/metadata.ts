/*
 * Metadata (3), versions 0-8.
 * Request:  [topic string] (null: all; v0: empty means all), allow_auto_topic_creation bool (v4),
 *           include_cluster_authorized_operations bool (v8), include_topic_authorized_operations bool (v8)
 * Response: throttle_ms int32 (v3), [node_id int32, host string, port int32, rack nullable_string (v1)],
 *           cluster_id nullable_string (v2), controller_id int32 (v1),
 *           [error int16, topic string, is_internal bool (v1), [error int16, partition int32, leader int32,
 *           leader_epoch int32 (v7), [replica int32], [isr int32], [offline int32] (v5)],
 *           authorized_operations int32 (v8)], cluster_authorized_operations int32 (v8)
 */
import { endpoint } from "./api.ts";
import type { Broker, Call, Endpoint } from "./api.ts";
import { ErrorCode } from "./error-codes.ts";
import { legalTopicName } from "./topics.ts";

/** Operations were not asked for. */
const NO_OPERATIONS = -0x80000000;

export const metadata: Endpoint = endpoint({
  key: 3,
  name: "Metadata",
  minVersion: 0,
  maxVersion: 8,
  read(input, version) {
    const named = input.nullableArray(() => input.string());
    const all = named === null || (version === 0 && named.length === 0);
    const autoCreate = version >= 4 ? input.boolean() : true;
    if (version >= 8) input.int16();
    return { topics: all ? undefined : named, autoCreate };
  },
  targets: ({ topics }) => (topics ?? []).map((topic) => ({ topic })),
  answer({ topics, autoCreate }, call) {
    const { out, version, broker } = call;
    const names = topics ?? broker.topics.all().map(({ name }) => name);
    if (version >= 3) out.int32(0);
    out.array([broker], ({ nodeId, host, port }) => {
      out.int32(nodeId).string(host).int32(port);
      if (version >= 1) out.nullableString(null);
    });
    if (version >= 2) out.nullableString(broker.clusterId);
    if (version >= 1) out.int32(broker.nodeId);
    out.array(names, (name) => {
      const error = call.injected(name) || resolveTopic(broker, name, autoCreate);
      out.int16(error).string(name);
      if (version >= 1) out.boolean(false);
      writePartitions(error === 0 ? name : undefined, call);
      if (version >= 8) out.int32(NO_OPERATIONS);
    });
    if (version >= 8) out.int32(NO_OPERATIONS);
  },
});

/** 0 when the topic is there, created now if that is allowed. */
function resolveTopic(broker: Broker, name: string, autoCreate: boolean): number {
  if (!legalTopicName(name)) return ErrorCode.invalidTopic;
  if (broker.topics.get(name) !== undefined) return 0;
  if (!autoCreate || !broker.autoCreateTopics) return ErrorCode.unknownTopicOrPartition;
  broker.topics.create(name, broker.defaultPartitions, new Map());
  return 0;
}

function writePartitions(topic: string | undefined, { out, version, broker }: Call): void {
  const partitions = topic === undefined ? [] : (broker.topics.get(topic)?.partitions ?? []);
  out.array(partitions, ({ index }) => {
    out.int16(0).int32(index).int32(broker.nodeId);
    if (version >= 7) out.int32(0);
    out.array([broker.nodeId], (id) => out.int32(id)).array([broker.nodeId], (id) => out.int32(id));
    if (version >= 5) out.array([], () => {});
  });
}
