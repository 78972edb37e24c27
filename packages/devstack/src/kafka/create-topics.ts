/*
 * CreateTopics (19), versions 0-4.
 * Request:  [topic string, partitions int32, replication_factor int16, [partition int32, [broker int32]],
 *           [name string, value nullable_string]], timeout_ms int32, validate_only bool (v1)
 * Response: throttle_ms int32 (v2), [topic string, error int16, error_message nullable_string (v1)]
 * partitions -1: the broker's default. Replication factor 1 or -1: there is one broker.
 */
import { endpoint } from "./api.ts";
import type { Broker, Endpoint } from "./api.ts";
import { ErrorCode } from "./error-codes.ts";
import { configProblem } from "./topic-configs.ts";
import { legalTopicName } from "./topics.ts";
import type { WireReader } from "./wire.ts";

type Wanted = {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly assignedPartitions: number;
  readonly configs: readonly { readonly name: string; readonly value: string | null }[];
};
type Problem = { readonly error: number; readonly message: string };

/** A bound on what one request may allocate. */
const MAX_PARTITIONS = 10_000;

export const createTopics: Endpoint = endpoint({
  key: 19,
  name: "CreateTopics",
  minVersion: 0,
  maxVersion: 4,
  read(input, version) {
    const topics = input.array(() => readWanted(input));
    input.int32();
    return { topics, validateOnly: version >= 1 && input.boolean() };
  },
  targets: ({ topics }) => topics.map(({ name }) => ({ topic: name })),
  answer({ topics, validateOnly }, { out, version, broker, injected }) {
    if (version >= 2) out.int32(0);
    out.array(topics, (wanted) => {
      const scripted = injected(wanted.name);
      const problem = scripted ? { error: scripted, message: "scripted" } : examine(wanted, broker);
      if (problem === undefined && !validateOnly) create(wanted, broker);
      out.string(wanted.name).int16(problem?.error ?? 0);
      if (version >= 1) out.nullableString(problem?.message ?? null);
    });
  },
});

function readWanted(input: WireReader): Wanted {
  const name = input.string();
  const partitions = input.int32();
  const replicationFactor = input.int16();
  const assignments = input.array(() => {
    input.int32();
    return input.array(() => input.int32());
  });
  const configs = input.array(() => ({ name: input.string(), value: input.nullableString() }));
  return { name, partitions, replicationFactor, assignedPartitions: assignments.length, configs };
}

function examine(wanted: Wanted, { topics }: Broker): Problem | undefined {
  const { name, replicationFactor } = wanted;
  if (!legalTopicName(name)) {
    return { error: ErrorCode.invalidTopic, message: `topic name ${name} is illegal` };
  }
  if (topics.get(name) !== undefined) {
    return { error: ErrorCode.topicAlreadyExists, message: `topic '${name}' already exists` };
  }
  const partitions = wanted.partitions === -1 ? 1 : wanted.partitions;
  if (partitions < 1 || partitions > MAX_PARTITIONS) {
    const message = `number of partitions ${partitions} is not in 1 to ${MAX_PARTITIONS}`;
    return { error: ErrorCode.invalidPartitions, message };
  }
  if (replicationFactor !== 1 && replicationFactor !== -1) {
    const message = `replication factor ${replicationFactor} with 1 broker`;
    return { error: ErrorCode.invalidReplicationFactor, message };
  }
  for (const { name, value } of wanted.configs) {
    const message = configProblem(name, value);
    if (message !== undefined) return { error: ErrorCode.invalidConfig, message };
  }
  return undefined;
}

function create(wanted: Wanted, broker: Broker): void {
  const named = wanted.partitions === -1 ? broker.defaultPartitions : wanted.partitions;
  const configs = new Map<string, string>();
  for (const { name, value } of wanted.configs) if (value !== null) configs.set(name, value);
  broker.topics.create(wanted.name, wanted.assignedPartitions || named, configs);
}
