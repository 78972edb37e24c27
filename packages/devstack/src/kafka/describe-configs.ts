/*
 * DescribeConfigs (32), versions 0-3.
 * Request:  [type int8 (2 topic, 4 broker), name string, [config string] (null: all)],
 *           include_synonyms bool (v1), include_documentation bool (v3)
 * Response: throttle_ms int32, [error int16, error_message nullable_string, type int8, name string,
 *           [config string, value nullable_string, read_only bool, is_default bool (v0), source int8 (v1),
 *           is_sensitive bool, [synonym] (v1), type int8 (v3), documentation nullable_string (v3)]]
 * A broker has no settings to show; its list is empty.
 */
import { endpoint } from "./api.ts";
import type { Broker, Call, Endpoint } from "./api.ts";
import { ErrorCode } from "./error-codes.ts";
import { describeConfigs as describe } from "./topic-configs.ts";
import type { ConfigEntry } from "./topic-configs.ts";

const TOPIC = 2;
const BROKER = 4;
const SOURCE_TOPIC = 1;
const SOURCE_DEFAULT = 5;
const TYPE_STRING = 2;

type Resource = {
  readonly type: number;
  readonly name: string;
  readonly configs: readonly string[] | null;
};

export const describeConfigs: Endpoint = endpoint({
  key: 32,
  name: "DescribeConfigs",
  minVersion: 0,
  maxVersion: 3,
  read(input) {
    const resources = input.array((): Resource => ({
      type: input.int8(),
      name: input.string(),
      configs: input.nullableArray(() => input.string()),
    }));
    return { resources };
  },
  targets: ({ resources }) => resources.map(({ name }) => ({ topic: name })),
  answer({ resources }, call) {
    const { out, broker } = call;
    out.int32(0);
    out.array(resources, (resource) => {
      const error = call.injected(resource.name) || problem(resource, broker);
      out.int16(error).nullableString(null).int8(resource.type).string(resource.name);
      out.array(error === 0 ? entries(resource, broker) : [], (entry) => writeEntry(entry, call));
    });
  },
});

function problem({ type, name }: Resource, broker: Broker): number {
  if (type === BROKER) return 0;
  if (type !== TOPIC) return ErrorCode.invalidRequest;
  return broker.topics.get(name) === undefined ? ErrorCode.unknownTopicOrPartition : 0;
}

function entries({ type, name, configs }: Resource, broker: Broker): ConfigEntry[] {
  if (type !== TOPIC) return [];
  const all = describe(broker.topics.get(name)?.configs ?? new Map());
  return configs === null ? all : all.filter((entry) => configs.includes(entry.name));
}

function writeEntry({ name, value, own }: ConfigEntry, { out, version }: Call): void {
  out.string(name).nullableString(value).boolean(false);
  if (version === 0) out.boolean(!own);
  else out.int8(own ? SOURCE_TOPIC : SOURCE_DEFAULT);
  out.boolean(false);
  if (version >= 1) out.array([], () => {});
  if (version >= 3) out.int8(TYPE_STRING).nullableString(null);
}
