/*
 * CreatePartitions (37), versions 0-1.
 * Request:  [topic string, count int32, [[broker int32]] nullable], timeout_ms int32, validate_only bool
 * Response: throttle_ms int32, [topic string, error int16, error_message nullable_string]
 * count is the new total.
 */
import { endpoint } from "./api.ts";
import type { Endpoint } from "./api.ts";
import { ErrorCode } from "./error-codes.ts";
import type { Topic } from "./topics.ts";

export const createPartitions: Endpoint = endpoint({
  key: 37,
  name: "CreatePartitions",
  minVersion: 0,
  maxVersion: 1,
  read(input) {
    const topics = input.array(() => {
      const name = input.string();
      const count = input.int32();
      input.nullableArray(() => input.array(() => input.int32()));
      return { name, count };
    });
    input.int32();
    return { topics, validateOnly: input.boolean() };
  },
  targets: ({ topics }) => topics.map(({ name }) => ({ topic: name })),
  answer({ topics, validateOnly }, { out, broker, injected }) {
    out.int32(0);
    out.array(topics, ({ name, count }) => {
      const topic = broker.topics.get(name);
      const error = injected(name) || problem(topic, count);
      if (error === 0 && topic !== undefined && !validateOnly) broker.topics.grow(topic, count);
      const message = `topic has ${topic?.partitions.length ?? 0} partitions, ${count} wanted`;
      out
        .string(name)
        .int16(error)
        .nullableString(error === 0 ? null : message);
    });
  },
});

function problem(topic: Topic | undefined, count: number): number {
  if (topic === undefined) return ErrorCode.unknownTopicOrPartition;
  return count > topic.partitions.length ? 0 : ErrorCode.invalidPartitions;
}
