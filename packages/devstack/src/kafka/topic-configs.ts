/**
 * Topic settings we keep and show, with Kafka 4's defaults. Honoured: max.message.bytes, message.timestamp.type,
 * message.timestamp.after.max.ms. The rest is kept and described only: nothing here compacts, and nothing expires by
 * time (`retentionBytes` of the server bounds every partition).
 */
const DEFAULTS: Readonly<Record<string, string>> = {
  "cleanup.policy": "delete",
  "compression.type": "producer",
  "delete.retention.ms": "86400000",
  "file.delete.delay.ms": "60000",
  "flush.messages": "9223372036854775807",
  "flush.ms": "9223372036854775807",
  "index.interval.bytes": "4096",
  "max.compaction.lag.ms": "9223372036854775807",
  "max.message.bytes": "1048588",
  "message.timestamp.after.max.ms": "3600000",
  "message.timestamp.before.max.ms": "9223372036854775807",
  "message.timestamp.type": "CreateTime",
  "min.cleanable.dirty.ratio": "0.5",
  "min.compaction.lag.ms": "0",
  "min.insync.replicas": "1",
  preallocate: "false",
  "retention.bytes": "-1",
  "retention.ms": "604800000",
  "segment.bytes": "1073741824",
  "segment.index.bytes": "10485760",
  "segment.jitter.ms": "0",
  "segment.ms": "604800000",
  "unclean.leader.election.enable": "false",
};

const CHOICES: Readonly<Record<string, readonly string[]>> = {
  "cleanup.policy": ["delete", "compact", "compact,delete", "delete,compact"],
  "compression.type": ["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"],
  "message.timestamp.type": ["CreateTime", "LogAppendTime"],
  preallocate: ["true", "false"],
  "unclean.leader.election.enable": ["true", "false"],
};

export type TopicConfigs = ReadonlyMap<string, string>;

export type ConfigEntry = { readonly name: string; readonly value: string; readonly own: boolean };

/** All settings of a topic, its own values before the defaults. */
export function describeConfigs(own: TopicConfigs): ConfigEntry[] {
  return Object.entries(DEFAULTS).map(([name, value]) => ({
    name,
    value: own.get(name) ?? value,
    own: own.has(name),
  }));
}

/** The value in force. */
export function configValue(own: TopicConfigs, name: string): string {
  return own.get(name) ?? DEFAULTS[name] ?? "";
}

/** What is wrong with a setting; undefined when it can be kept. */
export function configProblem(name: string, value: string | null): string | undefined {
  const usual = DEFAULTS[name];
  if (usual === undefined) return `unknown topic config name: ${name}`;
  if (value === null) return undefined;
  const choices = CHOICES[name];
  const right = choices === undefined ? /^-?\d+(\.\d+)?$/.test(value) : choices.includes(value);
  return right ? undefined : `invalid value ${value} for configuration ${name}`;
}
