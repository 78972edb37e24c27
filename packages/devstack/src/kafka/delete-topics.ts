/*
 * DeleteTopics (20), versions 0-3.
 * Request:  [topic string], timeout_ms int32
 * Response: throttle_ms int32 (v1), [topic string, error int16]
 * Committed offsets of the topic go with it.
 */
import { endpoint } from "./api.ts";
import type { Broker, Endpoint } from "./api.ts";
import { ErrorCode } from "./error-codes.ts";

export const deleteTopics: Endpoint = endpoint({
  key: 20,
  name: "DeleteTopics",
  minVersion: 0,
  maxVersion: 3,
  read: (input) => ({ topics: input.array(() => input.string()) }),
  targets: ({ topics }) => topics.map((topic) => ({ topic })),
  answer({ topics }, { out, version, broker, injected }) {
    if (version >= 1) out.int32(0);
    out.array(topics, (name) => {
      out.string(name).int16(injected(name) || remove(broker, name));
    });
  },
});

function remove({ topics, groups }: Broker, name: string): number {
  const topic = topics.get(name);
  if (topic === undefined) return ErrorCode.unknownTopicOrPartition;
  topics.remove(topic);
  groups.offsets.removeTopic(name);
  return 0;
}
