/*
 * AlterConfigs (33), versions 0-1, and IncrementalAlterConfigs (44), version 0.
 * Request:  [type int8, name string, [config string, operation int8 (44 only), value nullable_string]],
 *           validate_only bool
 * Response: throttle_ms int32, [error int16, error_message nullable_string, type int8, name string]
 * 33 replaces all settings of a topic; 44 changes those named (0 set, 1 delete; lists are not appended to). Only
 * topics (type 2) have settings.
 */
import { endpoint } from "./api.ts";
import type { Broker, Call, Endpoint } from "./api.ts";
import { ErrorCode } from "./error-codes.ts";
import { configProblem } from "./topic-configs.ts";
import type { WireReader } from "./wire.ts";

const TOPIC = 2;
const SET = 0;
const DELETE = 1;

type Change = { readonly name: string; readonly operation: number; readonly value: string | null };
type Resource = {
  readonly type: number;
  readonly name: string;
  readonly changes: readonly Change[];
};
type Request = { readonly resources: readonly Resource[]; readonly validateOnly: boolean };
type Problem = { readonly error: number; readonly message: string };

export const alterConfigs: Endpoint = endpoint<Request>({
  key: 33,
  name: "AlterConfigs",
  minVersion: 0,
  maxVersion: 1,
  read: (input) => readRequest(input, () => SET),
  targets: ({ resources }) => resources.map(({ name }) => ({ topic: name })),
  answer: (request, call) => alter(request, call, () => new Map()),
});

export const incrementalAlterConfigs: Endpoint = endpoint<Request>({
  key: 44,
  name: "IncrementalAlterConfigs",
  minVersion: 0,
  maxVersion: 0,
  read: (input) => readRequest(input, () => input.int8()),
  targets: ({ resources }) => resources.map(({ name }) => ({ topic: name })),
  answer: (request, call) => alter(request, call, (topic) => ownConfigs(call.broker, topic)),
});

function readRequest(input: WireReader, operation: () => number): Request {
  const resources = input.array(() => ({
    type: input.int8(),
    name: input.string(),
    changes: input.array(() => ({
      name: input.string(),
      operation: operation(),
      value: input.nullableString(),
    })),
  }));
  return { resources, validateOnly: input.boolean() };
}

function alter(
  { resources, validateOnly }: Request,
  { out, broker, injected }: Call,
  startFrom: (topic: string) => Map<string, string>,
): void {
  out.int32(0).array(resources, (resource) => {
    const { type, name } = resource;
    const scripted = injected(name);
    const problem = scripted ? { error: scripted, message: "scripted" } : examine(resource, broker);
    const topic = broker.topics.get(name);
    if (problem === undefined && topic !== undefined && !validateOnly) {
      topic.configs = changed(startFrom(name), resource.changes);
      broker.topics.save();
    }
    out.int16(problem?.error ?? 0).nullableString(problem?.message ?? null);
    out.int8(type).string(name);
  });
}

function examine({ type, name, changes }: Resource, broker: Broker): Problem | undefined {
  if (type !== TOPIC) {
    return { error: ErrorCode.invalidRequest, message: "only topics have settings here" };
  }
  if (broker.topics.get(name) === undefined) {
    return { error: ErrorCode.unknownTopicOrPartition, message: `topic '${name}' is unknown` };
  }
  for (const change of changes) {
    const wrong = configProblem(change.name, change.value);
    const operation = change.operation === SET || change.operation === DELETE;
    const message =
      wrong ?? (operation ? undefined : `operation ${change.operation} on ${change.name}`);
    if (message !== undefined) return { error: ErrorCode.invalidConfig, message };
  }
  return undefined;
}

function ownConfigs(broker: Broker, topic: string): Map<string, string> {
  return new Map(broker.topics.get(topic)?.configs);
}

function changed(configs: Map<string, string>, changes: readonly Change[]): Map<string, string> {
  for (const { name, operation, value } of changes) {
    if (operation === DELETE || value === null) configs.delete(name);
    else configs.set(name, value);
  }
  return configs;
}
